/** A gateway in this process with its page, whose records of operations a test can add to. */
import type { JsonObject } from '../../backends/index.js'
import { startGateway as start } from '../../src/gateway.js'
import { createLogger } from '../../src/telemetry/logging.js'
import { Operations } from '../../src/telemetry/operations.js'
import type { GatewayConfig } from './gateway.js'
import { configOf } from './gateway.js'
import type { Headers } from './raw-client.js'
import { get, post } from './raw-client.js'
import { waitUntil } from './wait-until.js'

export async function observed(config: GatewayConfig) {
  const logger = createLogger('silent')
  const operations = new Operations((error) => {
    throw error
  })
  const gateway = await start(configOf({ admin: { port: 0 }, ...config }), { logger, operations })
  await waitUntil(() => gateway.readiness().ready, 'the gateway to be ready')
  const adminUrl = String(gateway.adminUrl)
  return {
    gateway,
    operations,
    adminUrl,
    api: async (path: string) => (await get(`${adminUrl}/api/v1/${path}`)).json,
    act: (path: string, body: JsonObject = {}, headers: Headers = {}) =>
      post(`${adminUrl}/api/v1/${path}`, body, headers),
    [Symbol.asyncDispose]: () => gateway.close(),
  }
}
