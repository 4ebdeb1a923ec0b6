/** `mcp-junction serve`: runs the gateway until it is told to stop. */
import { once } from 'node:events'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import { startGateway } from '../gateway.js'
import type { LogLevel } from '../telemetry/logging.js'
import { createLogger, LOG_LEVELS } from '../telemetry/logging.js'
import { Terminal } from '../telemetry/terminal.js'
import { findConfig } from './find-config.js'
import { UsageError } from './usage.js'

export interface ServeArguments {
  readonly config?: string | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
  readonly logLevel?: string | undefined
}

/**
 * Returns the exit code once the gateway has stopped.
 * @throws UsageError, ConfigError, or the error of the port
 */
export async function serve(args: ServeArguments): Promise<number> {
  const config = withArguments(await loadConfig(findConfig(args.config)), args)
  const isTerminal = process.stdout.isTTY
  // On a terminal people read, so problems alone are logged unless more is asked for.
  const logger = createLogger(logLevel(args.logLevel) ?? (isTerminal ? 'warn' : 'info'))
  const terminal = isTerminal ? new Terminal(process.stdout) : undefined

  // A promise nobody waits for is a bug of ours, and no reason to drop everybody's calls.
  process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'internal error'))
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const gateway = await startGateway(config, {
    logger,
    onBackend: (keeper) => terminal?.showBackend(keeper),
  })
  terminal?.showStart(gateway.url)
  const [signal] = (await stopped) as [NodeJS.Signals]
  logger.info({ signal }, 'stopping')
  // A second signal is from somebody who will not wait.
  for (const again of ['SIGINT', 'SIGTERM'] as const) process.once(again, () => process.exit(1))
  await gateway.close()
  return 0
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
