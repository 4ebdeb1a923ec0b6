/** Letters of JSON by their codes, which are the same in text and in UTF-8. */
export const BACKSLASH = 0x5c
export const CLOSING_BRACE = 0x7d
export const CLOSING_BRACKET = 0x5d
export const COLON = 0x3a
export const COMMA = 0x2c
export const OPENING_BRACE = 0x7b
export const OPENING_BRACKET = 0x5b
export const QUOTE = 0x22

/** Whether a letter is white space between JSON values (RFC 8259, section 2). */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
