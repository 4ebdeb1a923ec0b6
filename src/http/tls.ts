/** Certificates of a listener: read from files, and read again when they change, as those who renew them expect. */
import { readFile } from 'node:fs/promises'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { reasonOf } from '../../backends/index.js'
import { watchConfig } from '../config/watch.js'
import type { Logger } from '../telemetry/logging.js'
import type { ListenerTls } from './listener.js'
import type { TlsSettings } from './settings.js'

export interface SecureServer {
  setSecureContext(options: SecureContextOptions): void
}

/** @throws the error of a file that cannot be read, or of a key that does not fit */
export async function readTls({ cert, key, clientCa }: TlsSettings): Promise<TlsOptions> {
  const [certificate, privateKey, ca] = await Promise.all([
    readFile(cert),
    readFile(key),
    clientCa === undefined ? undefined : readFile(clientCa),
  ])
  const options: TlsOptions = {
    cert: certificate,
    key: privateKey,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  }
  // Fails here, rather than at the first client, where the two do not belong together.
  createSecureContext(options)
  return options
}

/** Settings whose changes are logged. */
export function loggedTls(settings: TlsSettings, logger: Logger): ListenerTls {
  return {
    settings,
    onChange: (error) => {
      if (error === undefined) logger.info('certificates read again')
      else logger.error({ reason: reasonOf(error) }, 'the new certificates cannot be used')
    },
  }
}

/** New connections get what the files hold now; what is wrong with them is told, and the old goes on. Returns the way to stop. */
export async function followTls(
  settings: TlsSettings,
  server: SecureServer,
  onChange: (error?: unknown) => void,
): Promise<() => void> {
  const reload = (): void => {
    readTls(settings)
      .then((options) => {
        server.setSecureContext(options)
        onChange()
      })
      .catch(onChange)
  }
  const files = [
    settings.cert,
    settings.key,
    ...(settings.clientCa === undefined ? [] : [settings.clientCa]),
  ]
  const stops = await Promise.all(files.map((file) => watchConfig(file, reload, onChange)))
  return () => {
    for (const stop of stops) stop()
  }
}
