/** A gateway of several processes, as the one sees it that was started: it holds the ports, and the others do the work. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.js'
import { listenForAdmin, urlHost } from '../http/admin-listener.js'
import { sessionKeys } from '../session/settings.js'
import type { Logger } from '../telemetry/logging.js'
import type { LogLevel } from '../telemetry/log-levels.js'
import { VERSION } from '../version.js'
import { createAdminFront } from './admin-front.js'
import { Crew } from './crew.js'
import { Handover } from './handover.js'

export interface Primary {
  readonly url: string
  readonly adminUrl: string | undefined
  /** The configuration on disk is another, and good: workers read it themselves. */
  apply(config: Config): void
  /** The configuration on disk cannot be used. */
  noteRefusal(): void
  /** Stops all workers as one gateway stops. */
  close(): Promise<void>
}

export interface PrimaryOptions {
  /** Of the configuration. */
  readonly path: string
  readonly count: number
  readonly logger: Logger
  readonly logLevel: LogLevel
  /** Takes lines of workers. */
  readonly writeLines: (lines: string) => void
}

/** @throws the error of a port, or why the first worker that cannot begin cannot */
export async function startPrimary(config: Config, options: PrimaryOptions): Promise<Primary> {
  const { path, count, logger, logLevel } = options
  const { host, tls, drain } = config.listen
  const handover = new Handover()
  const port = await handover.listen(host, config.listen.port)
  const keys = sessionKeys(config.sessions, logger).map((it) => it.toString('hex'))
  const crew = new Crew({
    count,
    orders: { path, host, port, keys, areShared: config.sessions.keys.length > 0, logLevel },
    handover,
    logger,
    onLog: options.writeLines,
  })
  let isStopping = false
  await crew.start()
  const front = createAdminFront({
    wanted: count,
    ready: () => crew.ready,
    isStopping: () => isStopping,
    onInternalError: (error) => logger.error({ err: error }, 'internal error'),
  })
  const admin = await listenForAdmin(config.admin, logger, front)
  const scheme = tls === undefined ? 'http' : 'https'
  const url = `${scheme}://${urlHost(host)}:${port}${config.listen.path}`
  logger.info(
    { url, version: VERSION, targets: config.targets.length, workers: count },
    'listening',
  )
  return {
    url,
    adminUrl: admin?.url,
    apply: () => crew.tell({ kind: 'reload' }),
    noteRefusal: () => crew.tell({ kind: 'refused' }),
    close: async () => {
      isStopping = true
      crew.retire()
      crew.tell({ kind: 'stop' })
      if (drain.delay > 0) await sleep(drain.delay)
      await handover.close()
      crew.tell({ kind: 'ended' })
      await crew.gone()
      await admin?.listener.close(0)
    },
  }
}
