/** A gateway that nobody connects to, for commands that need to know what the servers of a configuration have. */
import { setTimeout as sleep } from 'node:timers/promises'
import { idOf } from '../../backends/index.js'
import type { CatalogKeeper } from '../../federation/index.js'
import type { Config } from '../config/schema.js'
import type { Gateway } from '../gateway.js'
import { startGateway } from '../gateway.js'
import { createLogger } from '../telemetry/logging.js'

/** How long servers may take to say what they have. */
const PATIENCE_MS = 20_000

export interface QuietGateway extends Gateway {
  readonly keepers: readonly CatalogKeeper[]
}

/** Every server has been tried when the promise resolves, or 20 seconds have gone by. */
export async function startQuietly(config: Config): Promise<QuietGateway> {
  const keepers = new Map<string, CatalogKeeper>()
  const gateway = await startGateway(
    {
      ...config,
      listen: { ...config.listen, host: '127.0.0.1', port: 0 },
      admin: false,
      sessions: { ...config.sessions, peers: false },
      // Nobody's calls are counted.
      store: undefined,
    },
    {
      logger: createLogger('silent'),
      onBackend: (keeper) => keepers.set(idOf(keeper.backend.target), keeper),
    },
  )
  const until = performance.now() + PATIENCE_MS
  while (!gateway.readiness().ready && performance.now() < until) await sleep(50)
  return { ...gateway, keepers: [...keepers.values()] }
}
