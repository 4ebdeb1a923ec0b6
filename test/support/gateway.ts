/** The gateway under test: in this process, or as the command in one of its own. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '../../backends/index.js'
import type { Config } from '../../src/config/schema.js'
import { configSchema } from '../../src/config/schema.js'
import type { Gateway } from '../../src/gateway.js'
import { startGateway as start } from '../../src/gateway.js'
import { createLogger } from '../../src/telemetry/logging.js'
import { waitUntil } from './wait-until.js'

export interface GatewayConfig {
  readonly targets: readonly JsonObject[]
  readonly mcpServers?: JsonObject
  readonly listen?: JsonObject
  readonly federation?: JsonObject
  readonly sessions?: JsonObject
  readonly kubernetes?: JsonObject
  readonly authentication?: JsonObject
  readonly authorization?: JsonObject
  readonly attributes?: readonly JsonObject[]
  readonly limits?: readonly JsonObject[]
  readonly store?: JsonObject
  readonly admin?: JsonObject | false
  readonly workers?: number | 'auto'
  readonly telemetry?: JsonObject
}

export type RunningGateway = Gateway & AsyncDisposable

/** The configuration as it is loaded. */
export function configOf(config: GatewayConfig): Config {
  return configSchema.parse({ admin: false, ...config, listen: { port: 0, ...config.listen } })
}

/** Starts a gateway in this process, on a free port, and waits until every target has been tried. */
export async function startGateway(
  config: GatewayConfig,
  readyMs?: number,
): Promise<RunningGateway> {
  const gateway = await start(configOf(config), { logger: createLogger('silent') })
  await waitUntil(() => gateway.readiness().ready, 'the gateway to be ready', readyMs)
  return { ...gateway, [Symbol.asyncDispose]: () => gateway.close() }
}

export interface SpawnedGateway extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly process: ChildProcess
  /** Its configuration. */
  readonly file: string
  /** The log lines so far, parsed. */
  readonly log: readonly JsonObject[]
  /** Writes another configuration in place of the first; with a string, exactly that. */
  reconfigure(config: GatewayConfig | string): Promise<void>
  /** `kill -9`, and waits for the end. */
  kill(): Promise<void>
  /** SIGTERM, and waits for the end. Returns the exit code. */
  stop(): Promise<number | null>
}

export const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** Starts the built command with this configuration and waits until it is ready. */
export function spawnGateway(
  config: GatewayConfig,
  ...options: readonly string[]
): Promise<SpawnedGateway> {
  return spawnGatewayIn({}, config, ...options)
}

/** What the command runs in. */
export interface Surroundings {
  /** A program of `test/support/preloads` that runs before it. */
  readonly preload?: string
  readonly env?: Readonly<Record<string, string>>
}

/** `spawnGateway` in surroundings of the test's. */
export async function spawnGatewayIn(
  { preload, env }: Surroundings,
  config: GatewayConfig,
  ...options: readonly string[]
): Promise<SpawnedGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'junction-'))
  const file = join(folder, 'junction.json')
  const fixed = { listen: { port: 0 }, admin: false }
  await writeFile(file, JSON.stringify({ ...fixed, ...config }))
  const args = ['serve', '--config', file, '--log-level', 'debug', ...options]
  const before =
    preload === undefined
      ? {}
      : { NODE_OPTIONS: `--import ${new URL(`preloads/${preload}.mjs`, import.meta.url).href}` }
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env, ...before },
  })
  const log: JsonObject[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(JSON.parse(line) as JsonObject)
  })
  const listening = () => log.find((it) => it['msg'] === 'listening')
  await waitUntil(
    () => listening() !== undefined || child.exitCode !== null,
    'the gateway to listen',
  )
  const url = String(listening()?.['url'])
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exited = once(child, 'exit')
    child.kill(signal)
    const [code] = (await exited) as [number | null]
    return code
  }
  const gateway: SpawnedGateway = {
    url,
    port: Number(new URL(url).port),
    process: child,
    file,
    log,
    reconfigure: async (changed) => {
      const text = typeof changed === 'string' ? changed : JSON.stringify({ ...fixed, ...changed })
      // As editors and ConfigMaps do: another file takes the place of the old one.
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true })
    },
  }
  await waitUntil(async () => (await readyz(url)) === 200, 'the gateway to be ready')
  return gateway
}

/** Whoever shows itself there. */
function readyz(url: string): Promise<number | undefined> {
  const { protocol, origin } = new URL(url)
  const send = protocol === 'https:' ? httpsGet : httpGet
  return new Promise((resolve, reject) => {
    const options = { rejectUnauthorized: false, agent: false }
    send(`${origin}/readyz`, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).once('error', reject)
  })
}
