/**
 * `mcp-junction probe`: an MCP server seen from outside, whatever it is made of: what it speaks, what it has, and how long
 * that takes. For people, cron and CI.
 */
import type { Backend, BackendState, Call, JsonObject } from '../../backends/index.js'
import {
  ANONYMOUS,
  Cancellation,
  JsonRpcError,
  probeBackend,
  RawJson,
  targetSchema,
} from '../../backends/index.js'
import { CATALOG_KINDS, drainList } from '../../federation/index.js'
import { VERSION } from '../version.js'
import { printable } from './printable.js'
import { UsageError } from './usage.js'

export interface ProbeOptions {
  readonly token?: string | undefined
  readonly era?: string | undefined
  readonly call?: string | undefined
  readonly args?: string | undefined
  readonly json?: boolean | undefined
}

/** Times are in milliseconds. */
interface Report {
  readonly url: string
  ok: boolean
  era?: 'legacy' | 'modern'
  protocolVersion?: string
  server?: JsonObject
  capabilities?: string[]
  openMs?: number
  lists?: Record<string, { count: number; ms: number }>
  call?: { tool: string; ms: number; isError: boolean; result: JsonObject }
  error?: string
}

const MODERN_SINCE = '2026'

/** Returns the exit code: 0 where all went well, 1 where the server did not do as it should. @throws UsageError */
export async function probe(url: string | undefined, options: ProbeOptions): Promise<number> {
  if (url === undefined) throw new UsageError('probe needs the URL of a server')
  const { token, era = 'auto' } = options
  const parsed = targetSchema.safeParse({ name: 'probed', mcp: { url }, era, roots: false })
  if (!parsed.success) throw new UsageError(parsed.error.issues[0]?.message ?? 'not a URL')
  const given = argumentsOf(options)

  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  const report: Report = { url, ok: false }
  const startedAt = performance.now()
  const backend = probeBackend(
    { ...parsed.data, headers },
    { name: 'mcp-junction probe', version: VERSION },
  )
  try {
    const state = await backend.opened
    report.openMs = since(startedAt)
    await examine(report, backend.backend, state, options.call, given)
  } catch (error) {
    report.error = error instanceof Error ? error.message : String(error)
  }
  await backend.backend.close()
  process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : describe(report))
  return report.ok ? 0 : 1
}

function argumentsOf({ call, args = '{}' }: ProbeOptions): JsonObject {
  if (call === undefined && args !== '{}') throw new UsageError('--args needs --call')
  try {
    const value = JSON.parse(args) as unknown
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as JsonObject
    }
  } catch {
    // Said below, as for JSON that is no object.
  }
  throw new UsageError('--args must be a JSON object')
}

async function examine(
  report: Report,
  backend: Backend,
  state: BackendState,
  tool: string | undefined,
  given: JsonObject,
): Promise<void> {
  if (state.status !== 'ready') {
    report.error = state.status === 'unreachable' ? state.reason : 'it is not connected'
    return
  }
  const { protocolVersion, info, capabilities } = state.server
  report.era = protocolVersion >= MODERN_SINCE ? 'modern' : 'legacy'
  report.protocolVersion = protocolVersion
  report.server = info
  report.capabilities = Object.keys(capabilities)
  report.lists = {}
  for (const kind of CATALOG_KINDS) {
    const startedAt = performance.now()
    const { items } = await drainList(backend, state.server, kind, () => undefined)
    report.lists[kind] = { count: items.length, ms: since(startedAt) }
  }
  report.ok = true
  if (tool === undefined) return
  const startedAt = performance.now()
  const { value } = await backend.call(callOf(tool, given)).catch((error: unknown) => {
    report.ok = false
    if (error instanceof JsonRpcError) throw new Error(`${tool}: ${error.rpcCode} ${error.message}`)
    throw error
  })
  const isError = value['isError'] === true
  report.call = { tool, ms: since(startedAt), isError, result: value }
  report.ok = !isError
}

/** From a client that can be asked nothing. */
function callOf(name: string, given: JsonObject): Call {
  return {
    method: 'tools/call',
    params: RawJson.fromValue<JsonObject>({ name, arguments: given }),
    caller: {
      era: 'legacy',
      key: 'probe',
      principal: ANONYMOUS,
      capabilities: {},
      logLevel: undefined,
      subject: undefined,
      notify: () => undefined,
    },
    logLevel: undefined,
    cancellation: new Cancellation(),
    wantsProgress: false,
    notify: () => undefined,
    room: () => undefined,
    ask: undefined,
    withdraw: () => undefined,
  }
}

function describe({
  url,
  era,
  protocolVersion,
  server,
  openMs,
  lists,
  call,
  error,
}: Report): string {
  const lines = [printable(url)]
  const line = (name: string, text: string): void => void lines.push(`  ${name.padEnd(12)}${text}`)
  if (era !== undefined) {
    const { name, version } = server ?? {}
    line('speaks', `${protocolVersion} (${era})`)
    const words = [name, version].filter((it) => typeof it === 'string')
    if (words.length > 0) line('is', printable(words.join(' ')))
    line('opened in', `${openMs} ms`)
  }
  for (const [kind, { count, ms }] of Object.entries(lists ?? {}))
    line(kind, `${count} in ${ms} ms`)
  if (call !== undefined) {
    line(
      'called',
      `${printable(call.tool)} in ${call.ms} ms${call.isError ? ', which failed' : ''}`,
    )
    lines.push(printable(JSON.stringify(call.result)))
  }
  if (error !== undefined) line('failed', printable(error))
  return `${lines.join('\n')}\n`
}

function since(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 10) / 10
}
