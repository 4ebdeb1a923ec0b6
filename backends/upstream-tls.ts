/** TLS towards a server that is not as usual: an authority of one's own, a certificate to show, another name. */
import { readFile } from 'node:fs/promises'
import { buildConnector } from 'undici'
import { z } from 'zod'

const file = z.string().min(1)

/** `targets[].tls`. */
export const upstreamTlsSchema = z
  .strictObject({
    ca: file
      .optional()
      .describe('PEM file of the authorities that are believed, instead of the public ones.'),
    cert: file.optional().describe('PEM file of the certificate to show, with its chain.'),
    key: file.optional().describe('PEM file of its private key.'),
    serverName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('The name the certificate has to be for, where it is not that of the address.'),
    insecureSkipVerify: z
      .boolean()
      .prefault(false)
      .describe('Believe any certificate. Whoever stands between can then read and change all.'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    message: '"cert" and "key" belong together',
  })

export type UpstreamTls = z.output<typeof upstreamTlsSchema>

/**
 * Opens connections with what the files hold at that time, so that renewed certificates are taken over without a
 * restart. A file that cannot be used fails the connection, with the reason.
 */
export function tlsConnector(tls: UpstreamTls, timeoutMs: number): buildConnector.connector {
  return (options, callback) => void open(tls, timeoutMs, options, callback)
}

/** Never rejects: what goes wrong is told to `callback`. */
async function open(
  tls: UpstreamTls,
  timeoutMs: number,
  ...[options, callback]: Parameters<buildConnector.connector>
): Promise<void> {
  try {
    const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map(contentOf))
    const connect = buildConnector({
      timeout: timeoutMs,
      rejectUnauthorized: !tls.insecureSkipVerify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    })
    connect(options, callback)
  } catch (error) {
    callback(error instanceof Error ? error : new Error(String(error)), null)
  }
}

async function contentOf(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : await readFile(path)
}
