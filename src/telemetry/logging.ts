/** One JSON object a line on stdout, through pino; what the lower folders report is put into words here. */
import type { Logger } from 'pino'
import { pino } from 'pino'

export type { Logger }

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What JSON leaves as it is, and terminals and readers of lines may obey: C1 controls, directions, line separators. */
const UNSAFE = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

export function createLogger(level: LogLevel): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Whatever is in a line is in one of its strings, where an escape means the same.
    hooks: { streamWrite: (line) => line.replace(UNSAFE, escaped) },
  })
}

/** As JSON writes it; what is beyond 16 bits as two of them. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
