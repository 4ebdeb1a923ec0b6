/** The door of `discovery`: where targets come from. */
export { mcpServersSchema, targetNameOf } from './mcp-servers.js'
