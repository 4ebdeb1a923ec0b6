/** The listener for those who run the gateway. */
import { reasonOf } from '../../backends/index.js'
import type { Logger } from '../telemetry/logging.js'
import type { TalliesFor } from '../admin/traffic.js'
import type { AdminParts } from './admin-app.js'
import { createAdminApp } from './admin-app.js'
import type { AdminSettings } from './admin-settings.js'
import { DEFAULT_ADMIN } from './admin-settings.js'
import type { Listener } from './listener.js'
import { listen } from './listener.js'

/** `undefined` where nothing is said of it, false where there is to be none. */
type AdminChoice = AdminSettings | false | undefined

export type AdminApp = ReturnType<typeof createAdminApp>

/** Where another process listens for those who run the gateway. */
export interface AdminDoorway {
  /** Requests go through the app; `tallies` are for reports that show several processes as one. */
  onAdmin(app: AdminApp, tallies: TalliesFor): void
}

/** What the admin listener serves, where one is wanted. */
export function adminApp(
  admin: AdminChoice,
  parts: Omit<AdminParts, 'settings'>,
): AdminApp | undefined {
  return admin === false
    ? undefined
    : createAdminApp({ settings: admin ?? DEFAULT_ADMIN, ...parts })
}

/**
 * The admin listener, where one is wanted. That the default port is taken is no reason not to serve clients.
 * @throws the error of `listen` for a port that the configuration names
 */
export async function listenForAdmin(
  admin: AdminChoice,
  logger: Logger,
  app: AdminApp | undefined,
): Promise<{ readonly listener: Listener; readonly url: string } | undefined> {
  if (admin === false || app === undefined) return undefined
  const { host, port } = admin ?? DEFAULT_ADMIN
  try {
    const listener = await listen(app, host, port)
    const url = `http://${urlHost(host)}:${listener.port}`
    logger.info({ url }, 'admin listener')
    return { listener, url }
  } catch (error) {
    if (admin !== undefined) throw error
    logger.warn({ port, reason: reasonOf(error) }, 'no admin listener; "admin" gives another port')
    return undefined
  }
}

/** Whether nobody gets to the admin listener without its token. */
export function isGuarded(admin: AdminChoice): boolean {
  return admin !== undefined && admin !== false && admin.token !== undefined
}

/** A host to listen on, as it is in the URL of whoever is on this machine. */
export function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
