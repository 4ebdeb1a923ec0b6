/** Where the other processes that have the same `sessions.keys` reach this one. */
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { z } from 'zod'
import { portSchema } from '../http/settings.js'

/** `sessions.peers`. */
export const peersSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      host: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Address of this process to listen at, and at which the others reach it. Default: `listen.host`; where that stands for all addresses, the first of the machine that is not loopback.',
        ),
      port: portSchema
        .prefault(0)
        .describe('Port for them; 0 takes any free one. With `workers`, each takes the next.'),
    }),
  ])
  .prefault({})
  .describe(
    'How processes that share `sessions.keys` give each other what only one of them can serve: general streams and subscriptions of a session, answers to questions, parked calls, the rest of a stream, calls of a child process that is one session’s. Without `keys` and with one process nothing listens; `false`: nothing is given.',
  )

export type PeersSettings = z.output<typeof peersSchema>

const EVERYWHERE = new Set(['0.0.0.0', '::', '[::]', ''])

/** The address to listen at, where the gateway itself listens at `listenHost`. */
export function peerHost(host: string | undefined, listenHost: string): string {
  const said = host ?? listenHost
  if (!EVERYWHERE.has(said)) return said
  const outward = Object.values(networkInterfaces())
    .flat()
    .filter((it) => it !== undefined && !it.internal && !it.address.startsWith('fe80:'))
    .map((it) => it?.address ?? '')
  return outward.find(isIPv4) ?? outward[0] ?? '127.0.0.1'
}
