/** The `mcpServers` map of Claude Desktop, Cursor and others, as users paste it, made into targets. */
import { z } from 'zod'
import type { Target } from '../backends/index.js'
import { targetSchema } from '../backends/index.js'

const MAX_NAME_LENGTH = 63

// Loose, because every product adds keys of its own, which mean nothing here.
const serverSchema = z.looseObject({
  type: z
    .enum(['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse'])
    .optional()
    .describe('Default: `stdio` with a `command`, `http` with a `url`. `sse` is refused as yet.'),
  command: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Program to start; one that begins with `./` or `../` is relative to the configuration file.',
    ),
  args: z.array(z.string()).optional().describe('Arguments of the program.'),
  env: z.record(z.string(), z.string()).optional().describe('Environment variables to add.'),
  cwd: z.string().optional().describe('Working directory; relative to the configuration file.'),
  url: z.string().optional().describe('Address of a server that speaks Streamable HTTP.'),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .describe('Refused as yet, unless it is empty.'),
  disabled: z.boolean().optional().describe('`true` leaves the server out.'),
})

type Server = z.output<typeof serverSchema>

/** Servers by name → targets, in the order of the map; those that are disabled are left out. */
export const mcpServersSchema = z
  .record(z.string(), serverSchema)
  .transform((servers, context): Target[] => {
    const keys = new Map<string, string>()
    return Object.entries(servers).flatMap(([key, server]) => {
      if (server.disabled === true) return []
      const refuse = ({ message, path }: Refusal) => {
        context.addIssue({ code: 'custom', message, path: [key, ...path] })
      }
      const name = targetNameOf(key)
      const taken = keys.get(name)
      if (taken === undefined) keys.set(name, key)
      else refuse({ message: `"${taken}" and "${key}" both become "${name}"`, path: [] })

      const refusal = refusalOf(server)
      if (refusal !== undefined) refuse(refusal)
      if (taken !== undefined || refusal !== undefined) return []

      const target = targetSchema.safeParse({ name, ...endpointOf(server) })
      if (target.success) return [target.data]
      // In a target the same keys stand one level deeper, below `mcp` or `stdio`.
      for (const { message, path } of target.error.issues) refuse({ message, path: path.slice(1) })
      return []
    })
  })

/** The target's name that a key of the map makes: lower case, with `-` for what a name may not hold. */
export function targetNameOf(key: string): string {
  return key
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, MAX_NAME_LENGTH)
}

interface Refusal {
  readonly message: string
  readonly path: readonly PropertyKey[]
}

function refusalOf({ type, command, url, headers = {} }: Server): Refusal | undefined {
  if (type === 'sse') {
    return { message: 'HTTP+SSE is not supported yet, only Streamable HTTP', path: ['type'] }
  }
  if (Object.keys(headers).length > 0) {
    // Leaving them out would be worse: a server may answer without them, but as somebody else.
    return { message: 'static headers are not supported yet', path: ['headers'] }
  }
  if ((command === undefined) === (url === undefined)) {
    return { message: 'expected either "command" or "url"', path: [] }
  }
  if (type !== undefined && (type === 'stdio') !== (command !== undefined)) {
    const needed = type === 'stdio' ? 'command' : 'url'
    return { message: `a server of this type needs "${needed}"`, path: ['type'] }
  }
  return undefined
}

function endpointOf({ command, args, env, cwd, url }: Server): object {
  return command === undefined ? { mcp: { url } } : { stdio: { command, args, env, cwd } }
}
