import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RawJson } from '../../backends/index.js'
import { AmbiguousItemError } from '../../federation/errors.js'
import { globPattern, matches, templatePattern } from '../../federation/pattern.js'
import { mapUris } from '../../federation/result-uris.js'
import { buildView } from '../../federation/view.js'
import { catalog, target } from '../support/targets.js'

const naming = { mode: 'always', separator: '__' } as const
const a = target('a')
const b = target('b')

function index(left: string[], right: string[], templates: { a?: string[]; b?: string[] } = {}) {
  const lists = (uris: string[], uriTemplates: string[] = []) =>
    catalog({
      resources: uris.map((uri) => ({ uri })),
      templates: uriTemplates.map((uriTemplate) => ({ uriTemplate })),
    })
  return buildView(
    [
      { target: a, catalog: lists(left, templates.a) },
      { target: b, catalog: lists(right, templates.b) },
    ],
    naming,
  ).uris
}
const exposed = (uris: ReturnType<typeof index>) => uris.resources.map((it) => it.exposed)

describe('resource URIs', () => {
  it('pass through while one backend alone has them', () => {
    const uris = index(['demo://x/1'], ['demo://x/2'])
    expect(exposed(uris)).toEqual(['demo://x/1', 'demo://x/2'])
    expect(uris.changesUris).toBe(false)
    expect(uris.resolve('demo://x/2')).toEqual({ target: b, uri: 'demo://x/2' })
  })

  it('are told apart by the target where two backends have them, scheme kept [R85]', () => {
    const shared = ['ui://app/main.html', 'file:///etc/motd', 'urn:isbn:1']
    const uris = index(shared, shared)
    expect(exposed(uris)).toEqual([
      'ui://a/app/main.html',
      'mcpgw://a/file:///etc/motd',
      'mcpgw://a/urn:isbn:1',
      'ui://b/app/main.html',
      'mcpgw://b/file:///etc/motd',
      'mcpgw://b/urn:isbn:1',
    ])
    expect(uris.resolve('ui://b/app/main.html')).toEqual({ target: b, uri: 'ui://app/main.html' })
  })

  it('lead back to the owner and the original, whatever they hold', () => {
    const uri = fc.oneof(
      fc.webUrl().map((it) => it.replace(/^https?/, 'demo')),
      fc.string({ minLength: 1 }).map((it) => `urn:x:${it}`),
      fc.string({ minLength: 1 }).map((it) => `file:///${it}`),
    )
    const list = fc.uniqueArray(uri, { maxLength: 8 })
    fc.assert(
      fc.property(list, list, (left, right) => {
        const uris = index(left, right)
        for (const { exposed: it, target: owner, item } of uris.resources) {
          expect(uris.resolve(it)).toEqual({ target: owner, uri: item.key })
          expect(uris.expose(owner, item.key)).toBe(it)
        }
      }),
    )
  })

  it('of the web are the same for everybody and never changed', () => {
    const uris = index(['https://example.com/doc'], ['https://example.com/doc'])
    expect(exposed(uris)).toEqual(['https://example.com/doc'])
  })

  it('that two backends have are not guessed at when asked for as they were [R91]', () => {
    const uris = index(['demo://x/1'], ['demo://x/1'])
    expect(() => uris.resolve('demo://x/1')).toThrow(AmbiguousItemError)
    expect(() => uris.resolve('demo://x/1')).toThrow('demo://a/x/1, demo://b/x/1')
  })

  it('are found by template where no list has them', () => {
    const uris = index([], [], { a: ['note://{id}'], b: ['db://{+path}{?limit}'] })
    expect(uris.resolve('note://7')).toEqual({ target: a, uri: 'note://7' })
    expect(uris.resolve('db://x/y/z?limit=3')).toEqual({ target: b, uri: 'db://x/y/z?limit=3' })
    expect(uris.resolve('note://7/8')).toBeUndefined()
  })

  it('of templates that two backends have are expanded and led back', () => {
    const uris = index([], [], { a: ['demo://t/{id}', '{+any}'], b: ['demo://t/{id}', '{+any}'] })
    expect(uris.templates.map((it) => it.exposed)).toEqual([
      'demo://a/t/{id}',
      'mcpgw://a/{+any}',
      'demo://b/t/{id}',
      'mcpgw://b/{+any}',
    ])
    expect(uris.resolve('demo://b/t/a%20b')).toEqual({ target: b, uri: 'demo://t/a%20b' })
    expect(uris.resolve('mcpgw://a/x:y/%20z')).toEqual({ target: a, uri: 'x:y/%20z' })
  })

  it('are not taken over by a backend that lists what was made for another', () => {
    const uris = index(['demo://x/1', 'demo://b/x/1'], ['demo://x/1'])
    expect(exposed(uris)).toEqual(['demo://a/x/1'])
  })
})

describe('URIs in results', () => {
  const map = (uri: string) => `${uri}!`

  it('are rewritten where a URI stands as a URI, and nowhere else', () => {
    const result = {
      content: [
        { type: 'text', text: 'demo://1' },
        { type: 'resource_link', uri: 'demo://1', name: 'n' },
        { type: 'resource', resource: { uri: 'demo://1', text: 'demo://1' } },
        { type: 'future', uri: 'demo://1' },
      ],
      structuredContent: { uri: 'demo://1', content: [{ type: 'resource_link', uri: 'demo://1' }] },
      _meta: { ui: { resourceUri: 'ui://x' }, other: { resourceUri: 'ui://x' } },
    }
    expect(mapUris(RawJson.fromValue(result), map).value).toEqual({
      content: [
        { type: 'text', text: 'demo://1' },
        { type: 'resource_link', uri: 'demo://1!', name: 'n' },
        { type: 'resource', resource: { uri: 'demo://1!', text: 'demo://1' } },
        { type: 'future', uri: 'demo://1' },
      ],
      structuredContent: { uri: 'demo://1', content: [{ type: 'resource_link', uri: 'demo://1' }] },
      _meta: { ui: { resourceUri: 'ui://x!' }, other: { resourceUri: 'ui://x' } },
    })
  })

  it('of read resources and prompt messages are rewritten too', () => {
    const read = RawJson.fromValue({ contents: [{ uri: 'demo://1', text: 'demo://1' }] })
    expect(mapUris(read, map).value).toEqual({ contents: [{ uri: 'demo://1!', text: 'demo://1' }] })
    const prompt = RawJson.fromValue({
      messages: [{ role: 'user', content: { type: 'resource', resource: { uri: 'demo://1' } } }],
    })
    expect(JSON.stringify(mapUris(prompt, map).value)).toContain('"demo://1!"')
  })

  it('leave a result of odd shape, and one without URIs, as it is', () => {
    for (const value of [
      { content: 'x' },
      { content: [1, null] },
      { contents: [{ uri: 7 }] },
      {},
    ]) {
      const result = RawJson.fromValue(value)
      expect(mapUris(result, map)).toBe(result)
    }
  })
})

describe('patterns', () => {
  it('take what a glob says', () => {
    expect(matches(globPattern('read_*'), 'read_file')).toBe(true)
    expect(matches(globPattern('read_*'), 'a_read_file')).toBe(false)
    expect(matches(globPattern('*'), '')).toBe(true)
    expect(matches(globPattern('a?c'), 'abc')).toBe(true)
    expect(matches(globPattern('a?c'), 'ac')).toBe(false)
    expect(matches(globPattern('a.c'), 'abc')).toBe(false)
  })

  it('take every expansion of a template', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9%~._-]{0,12}$/)
    fc.assert(
      fc.property(word, word, (id, page) => {
        expect(matches(templatePattern('x://{id}/p{?page}'), `x://${id}/p?page=${page}`)).toBe(true)
      }),
    )
  })

  it('end in time on what makes regular expressions hang', () => {
    const pattern = templatePattern('{+a}'.repeat(50))
    const started = performance.now()
    expect(matches([...pattern, { kind: 'literal', text: '!' }], 'a'.repeat(4_000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it.each(['*a'.repeat(100), `${'*?'.repeat(60)}b`, '(a+)+$*b', `${'a*'.repeat(100)}b`])(
    'as do globs: %s',
    (glob) => {
      const started = performance.now()
      expect(matches(globPattern(glob), `${'a'.repeat(8_000)}!`)).toBe(false)
      expect(performance.now() - started).toBeLessThan(1_000)
    },
  )
})
