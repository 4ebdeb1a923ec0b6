/** A message on its way out: text, or pieces of it where bytes are passed on as they came. */
export type MessageText = string | readonly (string | Buffer)[]

/** In UTF-8. */
export function byteLengthOf(message: MessageText): number {
  if (typeof message === 'string') return Buffer.byteLength(message)
  let length = 0
  for (const piece of message) length += Buffer.byteLength(piece)
  return length
}

/** As one text. */
export function wholeText(message: MessageText): string {
  return typeof message === 'string' ? message : textOf(message.map((piece) => Buffer.from(piece)))
}

/** The text of bytes that came in chunks. */
export function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks
  return (chunks.length === 1 && first ? first : Buffer.concat(chunks)).toString()
}

/** The same of what may be text already. */
export function asText(text: string | readonly Buffer[]): string {
  return typeof text === 'string' ? text : textOf(text)
}
