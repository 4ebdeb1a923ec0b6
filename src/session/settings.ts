/** How long sessions live, and the keys that seal them. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { durationSchema } from '../../backends/index.js'
import { peersSchema } from '../peers/settings.js'
import type { Logger } from '../telemetry/logging.js'

const KEY_BYTES = 32

const keySchema = z.string().transform((text, context): Buffer => {
  const key = decodeKey(text)
  if (key !== undefined) return key
  context.addIssue({
    code: 'custom',
    message: `expected ${KEY_BYTES} bytes in base64 or hex, such as \`openssl rand -base64 ${KEY_BYTES}\` makes`,
  })
  return z.NEVER
})

const lifetime = durationSchema.refine((ms) => ms > 0, 'expected a duration above zero')

/** The section `sessions`. */
export const sessionsSchema = z
  .strictObject({
    keys: z
      .array(keySchema)
      .prefault([])
      .describe(
        'Secrets of 32 bytes in base64, base64url or hex: the first seals session ids, all open them, so keys can be changed without losing sessions. Replicas share them. None: a random one per start.',
      ),
    idleTimeout: lifetime
      .prefault('30m')
      .describe(
        'A session unused for this long is let go of, here and at the servers; its next request brings it back.',
      ),
    maxAge: lifetime
      .prefault('24h')
      .describe('A session ends for good at this age; its client begins a new one.'),
    max: z
      .int()
      .min(1)
      .prefault(100_000)
      .describe('Sessions held at once; beyond it, the one unused the longest is let go of.'),
    peers: peersSchema,
  })
  .transform(({ keys, idleTimeout, maxAge, max, peers }) => ({
    keys,
    peers,
    idleTimeoutMs: idleTimeout,
    maxAgeMs: maxAge,
    max,
  }))

export type SessionSettings = z.output<typeof sessionsSchema>

/** Those of the configuration, or one that is made for this start. */
export function sessionKeys({ keys }: SessionSettings, logger: Logger): readonly Buffer[] {
  if (keys.length > 0) return keys
  logger.info('no sessions.keys: sessions end with this process')
  return [randomBytes(KEY_BYTES)]
}

function decodeKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  // Node's decoder of base64 takes the alphabet of base64url as well.
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
