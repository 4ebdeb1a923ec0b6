/** Every way to use everything that the rules of the table are about. */
import type { JsonObject } from '../../backends/index.js'
import type { Era } from './authorization-rows.js'
import { PATH, PROMPTS, TOOLS } from './authorization-rows.js'

export interface Use {
  readonly item: string
  readonly way: string
  readonly method: string
  /** With the name or URI, which is the item's or that of nothing. */
  readonly params: (name: string) => JsonObject
  readonly name: string
  readonly eras: readonly Era[]
}

/** Every way to use every thing; `prefix` is that of the path. */
export function usesOf(prefix: string): Use[] {
  const both: readonly Era[] = ['legacy', 'modern']
  const given = { path: PATH }
  const argument = { name: 'a', value: 'b' }
  const named = (method: string, way: string, names: string): Use[] =>
    names.split(' ').map((item) => ({
      item,
      way,
      method,
      name: prefix + item,
      eras: both,
      params: (name) => ({ name, arguments: given }),
    }))
  const uri = (item: string, way: string, method: string, name: string, eras = both): Use => ({
    item,
    way,
    method,
    name,
    eras,
    params: (it) => ({ uri: it }),
  })
  const completing = (item: string, name: string, ref: (name: string) => JsonObject): Use => ({
    item,
    way: 'complete',
    method: 'completion/complete',
    name,
    eras: both,
    params: (it) => ({ ref: ref(it), argument }),
  })
  return [
    ...named('tools/call', 'call', TOOLS),
    ...named('prompts/get', 'get', PROMPTS),
    ...PROMPTS.split(' ').map((it) =>
      completing(it, prefix + it, (name) => ({ type: 'ref/prompt', name })),
    ),
    completing('vault', 'vault://{id}', (it) => ({ type: 'ref/resource', uri: it })),
    uri('vault', 'read', 'resources/read', 'vault://1'),
    ...['open', 'secret'].flatMap((it) => [
      uri(it, 'read', 'resources/read', `note://${it}`),
      uri(it, 'follow', 'resources/subscribe', `note://${it}`, ['legacy']),
    ]),
  ]
}
