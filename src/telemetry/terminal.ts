/** What a person at a terminal sees: where to connect, settings to paste, and the backends as they come and go. */
import type { CatalogKeeper } from '../../federation/index.js'
import type { Operation } from './operations.js'

const useColours = process.env['NO_COLOR'] === undefined
const paint = (code: number) => (text: string) =>
  useColours ? `\x1b[${code}m${text}\x1b[0m` : text
const bold = paint(1)
const dim = paint(2)
const green = paint(32)
const yellow = paint(33)
const red = paint(31)

/** What a person can follow. */
const MAX_BURST = 20
const BURST_MS = 1_000

export class Terminal {
  readonly #out: NodeJS.WritableStream
  readonly #shown = new Map<string, string>()
  #shownSince = -Infinity
  #operations = 0
  #hidden = 0

  constructor(out: NodeJS.WritableStream) {
    this.#out = out
  }

  /** `pageUrl`: where people see all of it, if anywhere. */
  showStart(url: string, pageUrl: string | undefined): void {
    const page = pageUrl === undefined ? '' : `\n  ${dim('the page')}      ${green(pageUrl)}`
    const server = JSON.stringify({ type: 'http', url })
    this.#out.write(`
  ${bold('mcp-junction')}  ${green(url)}${page}

  ${dim('Inspector')}    npx @modelcontextprotocol/inspector --transport http --server-url ${url}
  ${dim('Claude Code')}  claude mcp add --transport http junction ${url}
  ${dim('VS Code')}      code --add-mcp '${JSON.stringify({ name: 'junction', type: 'http', url })}'
  ${dim('Cursor')}       ~/.cursor/mcp.json  ${JSON.stringify({ mcpServers: { junction: { url } } })}
  ${dim('others')}       ${JSON.stringify({ mcpServers: { junction: JSON.parse(server) as unknown } })}

`)
  }

  /** A line for what somebody asked of a server, and for all that went wrong; so many at once, and the rest as a number. */
  showOperation(operation: Operation): void {
    const { kind, durationMs, upstreamMs } = operation
    const { method, name, target, outcome, errorType, client } = kind
    if (target === '' && outcome === 'ok') return
    const now = performance.now()
    if (now - this.#shownSince >= BURST_MS) {
      if (this.#hidden > 0) this.#out.write(dim(`  … and ${this.#hidden} more\n`))
      this.#shownSince = now
      this.#operations = 0
      this.#hidden = 0
    }
    if (++this.#operations > MAX_BURST) {
      this.#hidden++
      return
    }
    const what = printable(`${method} ${name}`.trim())
    const verdict = outcome === 'ok' ? green('ok') : red(`${outcome} ${errorType}`.trim())
    const times = `${durationMs.toFixed(0)} ms, of it ${upstreamMs.toFixed(0)} ms there`
    this.#out.write(`  ${what}  ${verdict}  ${dim(`${times}  ${printable(client.name)}`)}\n`)
  }

  /** A line for each change worth one; repetitions are not. */
  showBackend({ backend, catalog, unavailable }: CatalogKeeper): void {
    const { name } = backend.target
    const line = describe(backend.state.status, catalog, unavailable?.reason)
    if (line === undefined || this.#shown.get(name) === line) return
    this.#shown.set(name, line)
    this.#out.write(`  ${bold(name.padEnd(16))} ${line}\n`)
  }
}

function describe(
  status: CatalogKeeper['backend']['state']['status'],
  catalog: CatalogKeeper['catalog'],
  reason: string | undefined,
): string | undefined {
  if (status === 'closed') return undefined
  if (status === 'unreachable') return `${red('unreachable')}  ${printable(reason)}`
  if (status === 'connecting') return yellow('reconnecting')
  if (catalog === undefined) return reason === undefined ? undefined : yellow(printable(reason))
  const { tools, prompts, resources, templates } = catalog.items
  const counts = [
    `${tools.length} tools`,
    `${prompts.length} prompts`,
    `${resources.length + templates.length} resources`,
  ].join(', ')
  return reason === undefined
    ? `${green('ready')}  ${counts}`
    : `${yellow('incomplete')}  ${counts}; ${printable(reason)}`
}

/** A server's words must not move the cursor or paint the screen. */
function printable(text: string | undefined): string {
  return (text ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
