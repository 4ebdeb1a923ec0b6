import { describe, expect, it } from 'vitest'
import type { PermitItem } from '../../../federation/index.js'
import { DecisionMemory } from '../../../src/auth/decision-memory.js'

const ANNOTATIONS = { readOnlyHint: true }
const item = (more: Partial<PermitItem> = {}): PermitItem => ({
  kind: 'tool',
  name: 'echo',
  exposedName: 'a__echo',
  target: 'a' as PermitItem['target'],
  annotations: ANNOTATIONS,
  ...more,
})

describe('what was decided about a use', () => {
  it('is known of the same use by the same principal, and of no other', () => {
    const memory = new DecisionMemory<string>()
    memory.of('ada', item(), 'tools/call').decision = 'allowed'
    expect(memory.of('ada', item(), 'tools/call').decision).toBe('allowed')
    for (const [principal, other, method] of [
      ['bob', item(), 'tools/call'],
      ['ada', item(), 'tools/list'],
      ['ada', item({ kind: 'prompt' }), 'tools/call'],
      ['ada', item({ name: 'other' }), 'tools/call'],
      ['ada', item({ exposedName: 'a__other' }), 'tools/call'],
      ['ada', item({ target: 'b' as PermitItem['target'] }), 'tools/call'],
    ] as const) {
      expect(memory.of(principal, other, method).decision).toBeUndefined()
    }
    memory.clear()
    expect(memory.of('ada', item(), 'tools/call').decision).toBeUndefined()
  })

  it('is forgotten when the server says another thing of its tool', () => {
    const memory = new DecisionMemory<string>()
    memory.of('ada', item(), 'tools/call').decision = 'allowed'
    const changed = item({ annotations: { readOnlyHint: false } })
    expect(memory.of('ada', changed, 'tools/call').decision).toBeUndefined()
    memory.of('ada', changed, 'tools/call').decision = 'denied'
    expect(memory.of('ada', changed, 'tools/call').decision).toBe('denied')
    expect(memory.of('ada', item(), 'tools/call').decision).toBeUndefined()
  })

  it('is kept of so many uses, whoever makes up principals', () => {
    const memory = new DecisionMemory<string>()
    memory.of('first', item(), 'tools/call').decision = 'allowed'
    for (let count = 0; count < 20_000; count++) memory.of(`p${count}`, item(), 'tools/call')
    expect(memory.of('first', item(), 'tools/call').decision).toBeUndefined()
  })
})
