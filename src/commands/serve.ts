/** `mcp-junction serve`: runs the gateway until it is told to stop. */
import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { reasonOf } from '../../backends/index.js'
import { loadConfig } from '../config/load.js'
import { Reloader } from '../config/reloader.js'
import type { Config } from '../config/schema.js'
import { watchConfig } from '../config/watch.js'
import type { Gateway } from '../gateway.js'
import { startGateway } from '../gateway.js'
import type { LogLevel } from '../telemetry/log-levels.js'
import { LOG_LEVELS } from '../telemetry/log-levels.js'
import type { Log, Logger } from '../telemetry/logging.js'
import { createLog } from '../telemetry/logging.js'
import { Operations } from '../telemetry/operations.js'
import { Terminal } from '../telemetry/terminal.js'
import { startPrimary } from '../workers/primary.js'
import { workerCount } from '../workers/settings.js'
import { findConfig } from './find-config.js'
import { UsageError } from './usage.js'

export interface ServeArguments {
  readonly config?: string | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
  readonly logLevel?: string | undefined
  readonly watch: boolean
}

/**
 * Returns the exit code once the gateway has stopped.
 * @throws UsageError, ConfigError, or the error of the port
 */
export async function serve(args: ServeArguments): Promise<number> {
  const path = findConfig(args.config)
  const load = async (): Promise<Config> => withArguments(await loadConfig(path), args)
  const config = await load()
  const isTerminal = process.stdout.isTTY
  // On a terminal people read, so problems alone are logged unless more is asked for.
  const level =
    logLevel(args.logLevel) ?? config.telemetry.logLevel ?? (isTerminal ? 'warn' : 'info')
  const log = createLog(level)
  const { logger } = log
  const terminal = isTerminal ? new Terminal(process.stdout) : undefined

  // A promise nobody waits for is a bug of ours, and no reason to drop everybody's calls.
  process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'internal error'))
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const count = workerCount(config.workers)
  const served =
    count === 1
      ? await alone(config, log, terminal)
      : await startPrimary(config, {
          path,
          count,
          logger,
          logLevel: level,
          writeLines: (lines) => log.writeAccess(lines),
        })
  terminal?.showStart(served.url, served.adminUrl)
  const reloader = new Reloader(config, {
    load,
    apply: (changed) => served.apply(changed),
    onApplied: (changed, before) => warnOfRestart(logger, changed, before),
    onRefused: (error) => {
      served.noteRefusal()
      logger.error({ reason: reasonOf(error) }, 'configuration refused')
    },
  })
  process.on('SIGHUP', () => void reloader.reload())
  const stopWatching = args.watch
    ? await watchConfig(
        path,
        () => void reloader.reload(),
        (error) => logger.warn({ reason: reasonOf(error) }, 'the configuration is not watched'),
      )
    : undefined
  const [signal] = (await stopped) as [NodeJS.Signals]
  logger.info({ signal }, 'stopping')
  // A second signal is from somebody who will not wait.
  for (const again of ['SIGINT', 'SIGTERM'] as const) process.once(again, () => process.exit(1))
  stopWatching?.()
  await served.close()
  return 0
}

/** A gateway in this process. */
async function alone(
  config: Config,
  { logger, writeAccess, beforeOtherLines }: Log,
  terminal: Terminal | undefined,
): Promise<Gateway> {
  const operations = new Operations((error) => logger.error({ err: error }, 'internal error'))
  operations.subscribe((records) => {
    for (const operation of records) terminal?.showOperation(operation)
  })
  return startGateway(config, {
    logger,
    ...(terminal === undefined ? {} : { operations }),
    writeAccess,
    beforeOtherLines,
    onBackend: (keeper) => terminal?.showBackend(keeper),
  })
}

/** What only a new process takes over must not seem to have been taken over. */
function warnOfRestart(logger: Logger, changed: Config, before: Config): void {
  const sections: string[] = (['listen', 'admin', 'sessions', 'workers'] as const).filter(
    (section) => !isDeepStrictEqual(changed[section], before[section]),
  )
  for (const section of ['otlp', 'metrics'] as const) {
    const isSame = isDeepStrictEqual(changed.telemetry[section], before.telemetry[section])
    if (!isSame) sections.push(`telemetry.${section}`)
  }
  if (sections.length > 0) logger.warn({ sections }, 'changed sections that need a restart')
}

function withArguments(config: Config, { port, host }: ServeArguments): Config {
  if (port !== undefined && !/^\d{1,5}$/.test(port)) {
    throw new UsageError(`--port takes a number, not "${port}"`)
  }
  return {
    ...config,
    listen: {
      ...config.listen,
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(host === undefined ? {} : { host }),
    },
  }
}

function logLevel(level: string | undefined): LogLevel | undefined {
  if (level === undefined) return undefined
  const known = LOG_LEVELS.find((it) => it === level)
  if (known === undefined) throw new UsageError(`--log-level takes one of ${LOG_LEVELS.join(', ')}`)
  return known
}
