/**
 * `mcp-junction explain`: which rule lets a caller use a tool or keeps it away, and what that caller's lists hold. The
 * servers of the configuration are started for it, since they say which tools there are.
 */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { JsonObject } from '../../backends/index.js'
import { isJsonObject } from '../../backends/index.js'
import type { Asker } from '../auth/rule-input.js'
import type { Principal } from '../auth/principal.js'
import { NOBODY, principalOf } from '../auth/principal.js'
import type { Reach } from '../auth/reach.js'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import type { Gateway } from '../gateway.js'
import { findConfig } from './find-config.js'
import { printable } from './printable.js'
import { startQuietly } from './quiet-gateway.js'
import { UsageError } from './usage.js'

export interface ExplainOptions {
  readonly config?: string | undefined
  readonly claims?: string | undefined
  readonly 'api-key'?: string | undefined
  readonly tool?: string | undefined
  readonly args?: string | undefined
}

const MAX_LISTED = 50
const MAX_NAME = 256

const LISTS = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resource templates',
} as const

/** Returns the exit code: 0 where it may be used, 1 where not. @throws UsageError, ConfigError */
export async function explain(options: ExplainOptions): Promise<number> {
  const { tool } = options
  if (tool === undefined) throw new UsageError('explain needs --tool, an exposed name')
  const given = jsonOf('--args', options.args)
  const config = await loadConfig(findConfig(options.config))
  const principal = principalFrom(options, config)
  const gateway = await startQuietly(config)
  try {
    return await tell(gateway, askerOf(principal), tool, given)
  } finally {
    await gateway.close()
  }
}

async function tell(
  gateway: Gateway,
  asker: Asker,
  tool: string,
  given: JsonObject,
): Promise<number> {
  const { name, kind } = asker.principal
  const explanation = gateway.explain(asker, tool, given)
  const mayUse = explanation?.isAllowed === true && explanation.lackingScopes.length === 0
  const lines: string[] = []
  if (explanation === undefined) lines.push(`there is no tool "${tool}"`)
  else {
    const { isShown, rules, lackingScopes } = explanation
    const shown = isShown ? 'in the list' : 'not in the list'
    lines.push(`${name} (${kind}) ${mayUse ? 'may' : 'may not'} use ${tool}; it is ${shown}`)
    for (const { effect, text, outcome } of rules) {
      lines.push(`  ${effect.padEnd(7)} ${outcome.padEnd(21)} ${text}`)
    }
    if (rules.length === 0) lines.push('  there are no rules: everything is allowed')
    if (lackingScopes.length > 0) {
      const answer = kind === 'anonymous' ? '401' : '403'
      lines.push(`a call is answered with ${answer}: it needs ${scopesText(lackingScopes)}`)
    }
  }
  const seen = await gateway.listsOf(asker)
  for (const [list, what] of Object.entries(LISTS)) {
    lines.push(listLine(what, seen[list as keyof typeof LISTS]))
  }
  lines.push(...reachLines(await gateway.reach()))
  process.stdout.write(`${lines.join('\n')}\n`)
  return mayUse ? 0 : 1
}

function scopesText(scopes: readonly string[]): string {
  return `the ${scopes.length === 1 ? 'scope' : 'scopes'} ${scopes.join(' ')}`
}

function listLine(what: string, names: readonly string[]): string {
  return `sees ${names.length} ${what}${names.length === 0 ? '' : `: ${shortened(names)}`}`
}

function shortened(names: readonly string[]): string {
  const more = names.length > MAX_LISTED ? `, and ${names.length - MAX_LISTED} more` : ''
  const first = names.slice(0, MAX_LISTED).map((it) => it.slice(0, MAX_NAME))
  return printable(first.join(', ')) + more
}

/** What does not fit together, whoever asks. */
function reachLines({ idleRules, idleScopes, unreachable }: Reach): readonly string[] {
  return [
    ...idleRules.map((it) => `names tools that there are not: ${it}`),
    ...idleScopes.map((it) => `toolScopes for tools that there are not: ${it}`),
    ...(unreachable.length === 0 ? [] : [`no rule allows to anybody: ${shortened(unreachable)}`]),
  ]
}

function principalFrom(options: ExplainOptions, { authentication }: Config): Principal {
  const { claims, 'api-key': name } = options
  if (claims !== undefined && name !== undefined) {
    throw new UsageError('explain takes --claims or --api-key, not both')
  }
  if (name !== undefined) {
    const key = authentication.apiKeys.find((it) => it.name === name)
    if (key === undefined) throw new UsageError(`there is no API key "${name}"`)
    return principalOf('apiKey', [name], name, key.claims as JsonObject)
  }
  if (claims === undefined) return NOBODY
  const said = jsonOf('--claims', claims)
  const { sub, iss } = said
  const subject = typeof sub === 'string' ? sub : ''
  return principalOf('jwt', [typeof iss === 'string' ? iss : '', subject], subject, said)
}

/** Somebody who says no more than who they are. */
function askerOf(principal: Principal): Asker {
  const request = new IncomingMessage(new Socket())
  return { principal, request, client: { name: '', version: '' } }
}

function jsonOf(option: string, text: string | undefined): JsonObject {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonObject(value)) return value
  } catch {
    // Said below, with what it should have been.
  }
  throw new UsageError(`${option} takes a JSON object`)
}
