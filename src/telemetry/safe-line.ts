/** What JSON leaves as it is, and terminals and readers of lines may obey: C1 controls, directions, line separators. */
const UNSAFE = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

/** JSON with all of that escaped. Whatever is in a line is in one of its strings, where an escape means the same. */
export function safeLine(line: string): string {
  return line.replace(UNSAFE, escaped)
}

/** As JSON writes it; what is beyond 16 bits as two of them. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
