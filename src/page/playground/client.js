/** What clients of both eras have in common, and what becomes of an answer. */
export const CLIENT_INFO = { name: 'mcp-junction playground', version: '1' }
/** This page can be asked for forms, and to send its reader to an address. */
export const CAPABILITIES = { elicitation: { form: {}, url: {} } }

/**
 * What happens in the course of a request.
 * @typedef {{
 *   ask: (method: string, params: any) => Promise<any>,
 *   notify: (method: string, params: any) => void,
 * }} Hearing
 */

/** The result of an answer. @throws where it is an error */
export function resultOf(answer) {
  if (answer === undefined) throw new Error('The answer never came.')
  const { error, result } = answer
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`)
  return result
}
