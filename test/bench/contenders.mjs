// Who is compared: all reach the same backend, and a client asks each for the same.
import { startGateway } from './gateway.mjs'
import { startNginx } from './nginx.mjs'
import { printedPort, startProgram, stop } from './processes.mjs'
import { identity, rules } from './policy.mjs'

export const BARE = 'bare node:http + undici proxy'
export const DIRECT = 'direct'
export const NGINX = 'nginx, one worker'
export const GATEWAY = 'mcp-junction'
export const SILENT = 'mcp-junction, no telemetry'
export const GUARDED = 'mcp-junction, JWT and 50 rules'
export const WORKERS = 'mcp-junction, workers: 2'

const ERAS = ['legacy', 'modern']

/** Starts those of these names. One that cannot be on this machine is left out. */
export async function startContenders(names, backend) {
  const contenders = []
  for (const name of names) {
    const contender = await STARTS[name](backend)
    if (contender !== undefined) contenders.push({ name, ...contender })
  }
  return contenders
}

const STARTS = {
  [DIRECT]: async (backend) => passing({ ...backend, stop: async () => {} }),
  [NGINX]: async ({ port }) => passing(await startNginx(port)),
  [BARE]: async ({ port }) => passing(await startBareProxy(port)),
  [GATEWAY]: (backend) => federating(backend, {}),
  [SILENT]: (backend) => federating(backend, { admin: false, telemetry: { accessLog: false } }),
  [WORKERS]: (backend) => federating(backend, { workers: 2 }),
  [GUARDED]: async (backend) => {
    const { authentication, headers } = await identity()
    return federating(backend, { authentication, authorization: { rules } }, headers)
  },
}

async function startBareProxy(backendPort) {
  const child = startProgram('bare-proxy.mjs', [String(backendPort)], { isContender: true })
  const port = await printedPort(child)
  return { port, pids: () => [child.pid], stop: () => stop(child) }
}

/** What hands on paths and bodies as they are. */
function passing(process) {
  if (process === undefined) return undefined
  return {
    ...process,
    /** Where a client of this era sends its calls, and what it calls a tool. */
    place: async (era) => ({ port: process.port, path: `/${era}/calls/0`, headers: {} }),
    toolName: (_, tool) => tool,
  }
}

/** One server of each era behind it, and clients call the one of theirs. */
async function federating(backend, settings, headers = {}) {
  const targets = ERAS.map((era) => ({
    name: era,
    mcp: { url: backend.url(`/${era}/calls/0`) },
  }))
  const gateway = await startGateway({ ...settings, targets }, { headers })
  const { port, path } = gateway
  const session = await gateway.session()
  return {
    ...gateway,
    place: async (era) => ({
      port,
      path,
      headers: era === 'legacy' ? { ...headers, ...session } : headers,
    }),
    toolName: (era, tool) => `${era}__${tool}`,
  }
}
