import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AmbiguousItemError, UnknownItemError } from '../../federation/errors.js'
import { safeName } from '../../federation/naming.js'
import type { View } from '../../federation/view.js'
import { buildView } from '../../federation/view.js'
import { catalog, target } from '../support/targets.js'

type Mode = 'always' | 'conflict' | 'never'

const tools = (...names: string[]) => catalog({ tools: names.map((name) => ({ name })) })
const view = (members: Parameters<typeof buildView>[0], mode: Mode = 'always'): View =>
  buildView(members, { mode, separator: '__' })
const listed = ({ lists }: View): string[] =>
  (JSON.parse(lists.tools) as { name: string }[]).map(({ name }) => name)

describe('exposed names', () => {
  it('stand in the order of the targets, then of each backend [R27]', () => {
    const a = { target: target('a'), catalog: tools('z', 'y') }
    const b = { target: target('b'), catalog: tools('x') }
    expect(listed(view([a, b]))).toEqual(['a__z', 'a__y', 'b__x'])
    expect(listed(view([b, a]))).toEqual(['b__x', 'a__z', 'a__y'])
  })

  it('lead back to the target and the original name, whatever the name holds', () => {
    const name = fc.string({ minLength: 1, maxLength: 200, unit: 'binary' })
    const names = fc.uniqueArray(name, { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(names, names, (left, right) => {
        const members = [
          { target: target('a'), catalog: tools(...left) },
          { target: target('b'), catalog: tools(...right) },
        ]
        const built = view(members)
        const exposed = listed(built)
        expect(new Set(exposed).size).toBe(exposed.length)
        const reached = exposed.map((it) => built.tools.resolve(it))
        expect(reached.map((it) => `${it.target.name} ${it.original}`)).toEqual([
          ...left.map((it) => `a ${it}`),
          ...right.map((it) => `b ${it}`),
        ])
      }),
    )
  })

  it('are always what model APIs accept, and always the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), (name) => {
        expect(safeName(name)).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
        expect(safeName(name)).toBe(safeName(name))
      }),
    )
    expect(safeName('files__read_text_file')).toBe('files__read_text_file')
    expect(safeName('files__read.text')).toMatch(/^files__read_text_[0-9a-f]{8}$/)
    expect(safeName('files__read text')).not.toBe(safeName('files__read.text'))
  })

  it('are refused on both sides where two targets claim one, and that is reported', () => {
    const built = view([
      { target: target('a'), catalog: tools('b__c', 'fine') },
      { target: target('x', { prefix: 'a__b' }), catalog: tools('c') },
    ])
    expect(listed(built)).toEqual(['a__fine'])
    expect(built.collisions).toEqual([{ exposed: 'a__b__c', targets: ['a', 'x'] }])
    expect(() => built.tools.resolve('a__b__c')).toThrow(UnknownItemError)
  })

  it('are bare with an empty prefix', () => {
    const built = view([{ target: target('a', { prefix: '' }), catalog: tools('read.text') }])
    expect(listed(built)).toEqual(['read.text'])
  })

  it('are bare in mode "conflict" except where two targets have one name', () => {
    const members = [
      { target: target('a'), catalog: tools('one', 'both') },
      { target: target('b'), catalog: tools('both', 'two') },
    ]
    expect(listed(view(members, 'conflict'))).toEqual(['one', 'a__both', 'b__both', 'two'])
  })

  it('are bare in mode "never", and refused where two targets have one name', () => {
    const members = [
      { target: target('a'), catalog: tools('one', 'both') },
      { target: target('b'), catalog: tools('both', 'two') },
    ]
    expect(listed(view(members, 'never'))).toEqual(['one', 'two'])
    expect(view(members, 'never').collisions).toEqual([{ exposed: 'both', targets: ['a', 'b'] }])
  })

  it('never change because another target comes or goes', () => {
    const a = { target: target('a'), catalog: tools('same') }
    const b = { target: target('b'), catalog: tools('same') }
    expect(listed(view([a]))).toEqual(['a__same'])
    expect(listed(view([a, b]))).toEqual(['a__same', 'b__same'])
  })

  it('may be left out where one target alone has the name, and are asked for where several have [R91]', () => {
    const built = view([
      { target: target('a'), catalog: tools('one', 'both') },
      { target: target('b'), catalog: tools('both') },
    ])
    expect(built.tools.resolve('one')).toMatchObject({ original: 'one', target: { name: 'a' } })
    expect(() => built.tools.resolve('both')).toThrow(AmbiguousItemError)
    expect(() => built.tools.resolve('both')).toThrow(/a__both, b__both/)
    expect(() => built.tools.resolve('none')).toThrow(UnknownItemError)
  })

  it('are only of the tools and prompts that include and exclude leave', () => {
    const options = { include: ['read_*', 'w?ite'], exclude: ['*_secret'] }
    const built = view([
      {
        target: target('a', options),
        catalog: tools('read_file', 'read_secret', 'write', 'wrrite', 'delete'),
      },
    ])
    expect(listed(built)).toEqual(['a__read_file', 'a__write'])
  })

  it('change nothing else of a definition [R87]', () => {
    const definition = {
      name: 'x',
      title: 'X',
      inputSchema: { type: 'object', 'x-odd': [1, { deep: null }] },
      icons: [{ src: 'https://example.com/i.png' }],
      annotations: { readOnlyHint: true, unknownHint: 1 },
      _meta: { 'example.com/key': 'value' },
      futureField: { any: 'thing' },
    }
    const built = view([{ target: target('a'), catalog: catalog({ tools: [definition] }) }])
    expect(JSON.parse(built.lists.tools)).toEqual([{ ...definition, name: 'a__x' }])
  })
})
