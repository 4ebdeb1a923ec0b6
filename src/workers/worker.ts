/**
 * The program of a worker: a gateway whose connections, and requests to the admin listener, come from the primary. It does
 * what that says, and ends with it; signals are the primary's to read.
 */
// oxlint-disable-next-line import/no-unassigned-import -- it works by being there, before all else
import '../stay-quick.js'
import { once } from 'node:events'
import { reasonOf } from '../../backends/index.js'
import { loadConfig } from '../config/load.js'
import { Reloader } from '../config/reloader.js'
import type { Config } from '../config/schema.js'
import { startGateway } from '../gateway.js'
import type { PeersSettings } from '../peers/settings.js'
import { createLog } from '../telemetry/logging.js'
import { Link } from './link.js'
import type { Orders, ToWorker } from './messages.js'

const LINE_BEGIN = /^\{/gm

process.on('disconnect', () => process.exit(1))
// A terminal and some supervisors tell every process; the primary says what is to be done.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

const [first] = (await once(process, 'message')) as [ToWorker]
if (first.kind !== 'start') throw new TypeError(`"start" was expected, not "${first.kind}"`)
await work(first.orders)
process.exit()

async function work(orders: Orders): Promise<void> {
  const { worker, path, logLevel } = orders
  const log = createLog(logLevel)
  const logger = log.logger.child({ worker })
  process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'internal error'))

  const link = new Link(orders.port)
  const load = async (): Promise<Config> => withOrders(await loadConfig(path), orders)
  try {
    const config = await load()
    const gateway = await startGateway(config, {
      logger,
      writeAccess: (lines) => log.writeAccess(lines.replaceAll(LINE_BEGIN, `{"worker":${worker},`)),
      beforeOtherLines: log.beforeOtherLines,
      doorway: link.doorway,
    })
    const reloader = new Reloader(config, {
      load,
      apply: (changed) => gateway.apply(changed),
      onApplied: () => undefined,
      onRefused: (error) => {
        gateway.noteRefusal()
        logger.error({ reason: reasonOf(error) }, 'configuration refused')
      },
    })
    link.follow((isGood) => {
      if (isGood) void reloader.reload()
      else gateway.noteRefusal()
    })
    link.tell({ kind: 'ready' })
    await link.stopped
    await gateway.close()
    link.close()
  } catch (error) {
    await new Promise<void>((resolve) =>
      link.tell({ kind: 'failed', reason: reasonOf(error) }, resolve),
    )
    process.exitCode = 1
  }
}

/** What all workers have in common is what the primary began with, whatever has been written since. */
function withOrders(config: Config, orders: Orders): Config {
  const { host, port } = orders
  return {
    ...config,
    listen: { ...config.listen, host, port },
    sessions: {
      ...config.sessions,
      keys: orders.keys.map((it) => Buffer.from(it, 'hex')),
      peers: peersOf(config, orders),
    },
  }
}

/** Each worker is a peer of its own; where nobody else has the keys, they are all on this machine. */
function peersOf({ sessions }: Config, { worker, areShared }: Orders): PeersSettings {
  const { peers } = sessions
  if (peers === false) return false
  const port = peers.port === 0 ? 0 : peers.port + worker - 1
  return areShared ? { ...peers, port } : { host: '127.0.0.1', port }
}
