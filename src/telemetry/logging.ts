/** One JSON object a line on stdout, through pino; what the lower folders report is put into words here. */
import type { Logger } from 'pino'
import { pino } from 'pino'
import type { LogLevel } from './log-levels.js'
import { LineChunks } from './line-chunks.js'
import { safeLine } from './safe-line.js'

export type { Logger }

/** Lines of requests are written together, when there are enough of them, or after this long. */
const WAIT_MS = 200
/** Where nobody reads the log, what goes beyond this is dropped: it must hold up no calls and fill no memory. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

export interface Log {
  readonly logger: Logger
  /** Adds whole lines of the access log: soon, and in order with the others. */
  readonly writeAccess: (text: string) => void
  /** `addLines` adds lines of the access log that are still to come: it is called before any other line, and at the end. */
  readonly beforeOtherLines: (addLines: () => void) => void
}

/** A log that writes each line as it comes. */
export function createLogger(level: LogLevel): Logger {
  return pino(optionsFor(level))
}

/** The log of a gateway, whose many lines about requests share its way out. */
export function createLog(level: LogLevel): Log {
  const out = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    contentMode: 'buffer',
  })
  const isFailing = tellOfFailure(out)
  // It takes bytes in this mode, and nothing else, which its types do not say.
  const lines = new LineChunks((bytes) => out.write(bytes as unknown as string))
  // Nothing of what it was given is left.
  out.on('drain', () => lines.written())
  let addLines: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    lines.flush()
  }
  // Before pino's own, which writes what it has.
  process.prependListener('exit', () => {
    addLines?.()
    flush()
    // It would wait for room for ever.
    if (isFailing()) out.destroy()
  })
  const inOrder = {
    write: (line: string): void => {
      addLines?.()
      lines.add(line)
      flush()
    },
  }
  return {
    logger: pino(optionsFor(level), inOrder),
    writeAccess: (text) => {
      lines.add(text)
      timer ??= setTimeout(flush, WAIT_MS).unref()
    },
    beforeOtherLines: (adding) => (addLines = adding),
  }
}

/**
 * The gateway goes on where its log has no room, and so does the log where it has room again. Returns whether it is as bad
 * as that.
 */
function tellOfFailure(out: ReturnType<typeof pino.destination>): () => boolean {
  let isFailing = false
  out.on('error', (error: Error) => {
    if (!isFailing) process.stderr.write(`the log cannot be written: ${error.message}\n`)
    isFailing = true
  })
  out.on('write', () => (isFailing = false))
  return () => isFailing
}

function optionsFor(level: LogLevel) {
  return {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: safeLine },
  }
}
