#!/usr/bin/env node
/** The command: arguments, signals and exit codes. The only file that ends the process. */
// oxlint-disable-next-line import/no-unassigned-import -- it works by being there, before all else
import './stay-quick.js'
import { parseArgs } from 'node:util'
import { explain } from './commands/explain.js'
import { lock } from './commands/lock.js'
import { probe } from './commands/probe.js'
import { schema } from './commands/schema.js'
import { serve } from './commands/serve.js'
import { UsageError } from './commands/usage.js'
import { validate } from './commands/validate.js'
import { ConfigError } from './config/problems.js'
import { VERSION } from './version.js'

const USAGE = `mcp-junction ${VERSION}: one /mcp URL in front of all your MCP servers

  mcp-junction [serve] [--config FILE|DIR] [--port N] [--host H] [--[no-]watch] [--log-level L]
  mcp-junction validate --config FILE|DIR   check a configuration; nothing is started
  mcp-junction probe URL [--token T] [--era auto|legacy|modern] [--call TOOL --args JSON] [--json]
                                            check a server from outside: what it speaks and has, and how fast
  mcp-junction explain --config FILE [--claims JSON|--api-key NAME] --tool EXPOSED [--args JSON]
                                            which rule allows or denies it, and what that caller's lists hold
  mcp-junction lock --config FILE|DIR [--check]
                                            approve the tools that guarded targets have now; --check only says
  mcp-junction schema                       print the JSON Schema of the configuration

Without --config: ./junction.yaml or ./junction.json.
With --watch, the default, a changed configuration is applied as it is saved; SIGHUP applies it too.
Log levels: trace, debug, info, warn, error, silent.
`

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  'log-level': { type: 'string' },
  watch: { type: 'boolean', default: true },
  token: { type: 'string' },
  era: { type: 'string' },
  call: { type: 'string' },
  args: { type: 'string' },
  claims: { type: 'string' },
  'api-key': { type: 'string' },
  tool: { type: 'string' },
  check: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

/** Returns the exit code: 0 fine, 1 it ran and failed, 2 wrong usage or configuration. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args)
  const [command = 'serve', ...rest] = positionals
  if (values.help === true) return print(USAGE)
  if (values.version === true) return print(`${VERSION}\n`)
  if (command === 'probe' && rest.length <= 1) return probe(rest[0], values)
  if (rest.length > 0) throw new UsageError(`unexpected argument "${rest[0]}"`)
  switch (command) {
    case 'serve':
      return serve({ ...values, logLevel: values['log-level'] })
    case 'validate':
      return validate(values.config)
    case 'explain':
      return explain(values)
    case 'lock':
      return lock(values)
    case 'schema':
      return print(schema())
    default:
      throw new UsageError(`unknown command "${command}"`)
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: OPTIONS,
      allowPositionals: true,
      allowNegative: true,
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${USAGE}`)
    return 2
  }
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`)
    return 2
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return 1
}

// Whoever reads our output may have read enough, as `| head` has; the work goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(report(error))
})
// What cannot be told there can be told nowhere.
process.stderr.on('error', () => undefined)
process.exitCode = await main(process.argv.slice(2)).catch(report)
// Whether the last of what was printed could be written shows a moment later.
await new Promise((resolve) => setImmediate(resolve))
// Everything has been closed; what a library still holds open must not hold the process.
process.exit()
