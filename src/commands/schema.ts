/** `mcp-junction schema`: the JSON Schema of the configuration, for editors and checks. */
import { configJsonSchema } from '../config/schema.js'

export function schema(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`
}
