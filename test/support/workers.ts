/** A gateway of two processes, and what it says of them. */
import { childServer } from './child-server.js'
import type { JsonObject } from '../../backends/index.js'
import type { GatewayConfig, SpawnedGateway } from './gateway.js'
import { spawnGateway } from './gateway.js'
import { get } from './raw-client.js'
import { waitUntil } from './wait-until.js'

export const BOTH = [1, 2]
/** Each request on a connection of its own. */
export const APART = { connection: 'close' }
export const goodChild = {
  name: 'child',
  stdio: {
    ...childServer('good'),
    scope: 'shared',
  },
}

export async function spawnTwo(
  config: GatewayConfig,
  ...options: string[]
): Promise<SpawnedGateway> {
  const gateway = await spawnGateway({ workers: 2, admin: { port: 0 }, ...config }, ...options)
  await ready(gateway)
  return gateway
}

export const lines = ({ log }: SpawnedGateway, msg: string): JsonObject[] =>
  log.filter((it) => it['msg'] === msg)
export const adminUrl = (gateway: SpawnedGateway) =>
  String(lines(gateway, 'admin listener')[0]?.['url'])
export const readyz = (gateway: SpawnedGateway) => get(`${adminUrl(gateway)}/readyz`)
export const ready = (gateway: SpawnedGateway) =>
  waitUntil(async () => (await readyz(gateway)).status === 200, 'all workers to be ready')
export const pids = (gateway: SpawnedGateway): number[] =>
  lines(gateway, 'worker ready').map((it) => Number(it['pid']))
export const pidOf = (gateway: SpawnedGateway, worker: number): number =>
  Number(lines(gateway, 'worker ready').findLast((it) => it['worker'] === worker)?.['pid'])

export const numbers = (some: readonly JsonObject[]): number[] =>
  [...new Set(some.map((it) => Number(it['worker'])))].toSorted((one, other) => one - other)

/** Of lines of the log, once all workers have written one. */
export async function workersOf(gateway: SpawnedGateway, msg: string): Promise<number[]> {
  const seen = () => numbers(lines(gateway, msg))
  await waitUntil(() => seen().length === BOTH.length, `"${msg}" of both workers`)
  return seen()
}
