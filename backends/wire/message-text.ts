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
  if (typeof message === 'string') return message
  return textOf(message.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

/** The text of bytes that came in chunks. */
export function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks
  return (chunks.length === 1 && first ? first : Buffer.concat(chunks)).toString()
}
