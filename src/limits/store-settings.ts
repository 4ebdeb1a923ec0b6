/** The section `store`: where limits are counted that several gateways share. */
import { z } from 'zod'
import { durationSchema } from '../../backends/index.js'

const EXPECTED_URL = 'expected a URL such as redis://redis.example.com:6379/0, or rediss:// for TLS'
/** What databases and passwords look like in a URL must not be guessed from a piece of it. */
const ODD_URL =
  'expected no more than user, password, host, port and the number of a database; other characters in a password are written %XX, or it stands in "password"'

const DEFAULT_PORT = 6_379

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly database: number
  readonly username: string | undefined
  readonly password: string | undefined
}

const urlSchema = z.string().transform((text, context): RedisAddress => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isKnown = url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== ''
  const [, database] = (isKnown && /^\/?(\d{0,5})$/.exec(url.pathname)) || []
  if (!isKnown || database === undefined || url.search + url.hash !== '' || !isDecodable(url)) {
    context.addIssue({ code: 'custom', message: isKnown ? ODD_URL : EXPECTED_URL })
    return z.NEVER
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    isTls: url.protocol === 'rediss:',
    database: Number(database),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  }
})

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

const redisSchema = z
  .strictObject({
    url: urlSchema.describe(
      'The server, as `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS: one address, be it of a service in front of several.',
    ),
    username: z.string().min(1).optional().describe('User of an ACL, where not in the URL.'),
    password: z
      .string()
      .min(1)
      .optional()
      .describe('Password, where not in the URL, by reference, such as `${REDIS_PASSWORD}`.'),
    tls: z
      .strictObject({
        ca: z
          .string()
          .min(1)
          .describe('PEM file of the authorities that are believed, instead of the public ones.'),
      })
      .optional()
      .describe('TLS at a `rediss://` address.'),
    prefix: z
      .string()
      .max(128)
      .prefault('mcp-junction:')
      .describe('What all keys begin with. Gateways that share limits have the same.'),
    timeout: durationSchema
      .refine((ms) => ms > 0 && ms <= 10_000, 'expected a duration above zero, up to 10s')
      .prefault('100ms')
      .describe('How long a call waits for an answer of the store at most; then `whenDown` holds.'),
    whenDown: z
      .enum(['open', 'closed'])
      .prefault('open')
      .describe(
        'What becomes of limited calls while the store does not answer: `open` lets them in, `closed` answers that limits cannot be checked.',
      ),
  })
  .refine(({ url, username }) => url.username === undefined || username === undefined, {
    message: 'stands in "url" as well',
    path: ['username'],
  })
  .refine(({ url, password }) => url.password === undefined || password === undefined, {
    message: 'stands in "url" as well',
    path: ['password'],
  })
  .refine(({ url, tls }) => url.isTls || tls === undefined, {
    message: 'only an address with rediss:// has TLS',
    path: ['tls'],
  })
  .transform(({ url, username, password, tls, prefix, timeout, whenDown }) => ({
    ...url,
    username: username ?? url.username,
    password: password ?? url.password,
    caFile: tls?.ca,
    prefix,
    timeoutMs: timeout,
    whenDown,
  }))

/** The section `store`. */
export const storeSchema = z
  .strictObject({
    redis: redisSchema.describe(
      'A server of Redis 5 or newer, or one that speaks as it does, such as Valkey.',
    ),
  })
  .optional()
  .describe(
    'Where `limits` are counted, so that gateways of one store share them. Without it each process counts for itself.',
  )

export type StoreSettings = NonNullable<z.output<typeof storeSchema>>
export type RedisSettings = StoreSettings['redis']
export type WhenDown = RedisSettings['whenDown']
