/** Severities of log messages, the most talkative first (2025-11-25 server/utilities/logging, RFC 5424). */
export const LOG_LEVELS = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

export function isLogLevel(value: unknown): value is LogLevel {
  return LOG_LEVELS.some((level) => level === value)
}

/** Whether a message of this level is for somebody who asked for `wanted` and above, or who asked for nothing. */
export function isWantedLevel(level: unknown, wanted: LogLevel | undefined): boolean {
  if (wanted === undefined || !isLogLevel(level)) return true
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(wanted)
}
