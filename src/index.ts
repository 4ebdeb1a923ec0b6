/** mcp-junction as a library: start a gateway from a configuration, in a program of one's own. */
export type { Config } from './config/schema.js'
export { loadConfig } from './config/load.js'
export { ConfigError } from './config/problems.js'
export type { Gateway, GatewayOptions } from './gateway.js'
export { startGateway } from './gateway.js'
export { createLogger } from './telemetry/logging.js'
