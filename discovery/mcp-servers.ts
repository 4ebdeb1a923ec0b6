/** The `mcpServers` map of Claude Desktop, Cursor and others, as users paste it, made into targets. */
import { z } from 'zod'
import type { Target } from '../backends/index.js'
import { headersSchema, targetSchema } from '../backends/index.js'

const MAX_NAME_LENGTH = 63

// Loose, because every product adds keys of its own, which mean nothing here.
const serverFields = z.looseObject({
  type: z
    .enum(['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse'])
    .optional()
    .describe('Default: `stdio` with a `command`, `http` with a `url`.'),
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
  url: z.string().optional().describe('Address of a server.'),
  headers: headersSchema
    .optional()
    .describe('Sent with every request; for a `url`. Secrets by reference.'),
  disabled: z.boolean().optional().describe('`true` leaves the server out.'),
})

type Server = z.output<typeof serverFields>

const serverSchema = serverFields.superRefine((server, context) => {
  if (server.disabled === true) return
  const refusal = refusalOf(server)
  if (refusal !== undefined) {
    context.addIssue({ code: 'custom', ...refusal })
    return
  }
  // Checked here, under any name, so that one bad server does not hide what is wrong with the next.
  const { error } = targetSchema.safeParse({ name: 'any', ...endpointOf(server) })
  for (const { message, path } of error?.issues ?? []) {
    // In a target the same keys stand one level deeper, below `mcp` or `stdio`.
    context.addIssue({ code: 'custom', message, path: path.slice(1) })
  }
})

/** Servers by name → targets, in the order of the map; those that are disabled are left out. */
export const mcpServersSchema = z
  .record(z.string().min(1, 'a server needs a name'), serverSchema)
  .transform((servers, context): Target[] => {
    const keys = new Map<string, string>()
    const targets: Target[] = []
    for (const [key, server] of Object.entries(servers)) {
      if (server.disabled === true) continue
      const name = targetNameOf(key)
      const other = keys.get(name)
      if (other !== undefined) {
        const message = `"${other}" and "${key}" both become the target "${name}"`
        context.addIssue({ code: 'custom', message, path: [key] })
      }
      keys.set(name, key)
      targets.push(targetSchema.parse({ name, ...endpointOf(server) }))
    }
    return targets
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
  readonly path: string[]
}

function refusalOf({ type, command, url, headers = {} }: Server): Refusal | undefined {
  if ((command === undefined) === (url === undefined)) {
    return { message: 'expected either "command" or "url"', path: [] }
  }
  if (type !== undefined && (type === 'stdio') !== (command !== undefined)) {
    const needed = type === 'stdio' ? 'command' : 'url'
    return { message: `a server of this type needs "${needed}"`, path: ['type'] }
  }
  if (command !== undefined && Object.keys(headers).length > 0) {
    return { message: 'a child process has no headers; give it "env"', path: ['headers'] }
  }
  return undefined
}

function endpointOf({ type, command, args, env, cwd, url, headers }: Server): object {
  const shown = headers === undefined ? {} : { headers: { set: headers } }
  if (type === 'sse') return { sse: { url }, ...shown }
  return command === undefined ? { mcp: { url }, ...shown } : { stdio: { command, args, env, cwd } }
}
