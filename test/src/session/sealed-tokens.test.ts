import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Sealer } from '../../../src/session/sealing.js'

const key = randomBytes(32)

describe('sealed tokens', () => {
  it('open to what was sealed, with the same key anywhere [R92]', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (plain) => {
        expect(new Sealer([key], 'p').open(new Sealer([key], 'p').seal(plain))).toBe(plain)
      }),
    )
  })

  it('are visible ASCII, and never the same twice [R49]', () => {
    const sealer = new Sealer([key], 'p')
    const tokens = Array.from({ length: 100 }, () => sealer.seal('same'))
    expect(new Set(tokens).size).toBe(100)
    for (const token of tokens) expect(token).toMatch(/^[\x21-\x7e]+$/)
  })

  it('are the same each time where clients compare them, and differ for different texts', () => {
    const sealer = new Sealer([key], 'p')
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(sealer.sealAlike(a)).toBe(new Sealer([key], 'p').sealAlike(a))
        expect(sealer.open(sealer.sealAlike(a))).toBe(a)
        // Neither the texts nor what they are sealed with may meet.
        const [first, second] = [a, b].map((it) => Buffer.from(sealer.sealAlike(it), 'base64url'))
        const isSameIv = first?.subarray(5, 17).equals(second?.subarray(5, 17) ?? Buffer.of())
        expect(isSameIv).toBe(a === b)
      }),
    )
  })

  it('do not open when a single bit is changed', () => {
    const sealer = new Sealer([key], 'p')
    const bytes = Buffer.from(sealer.seal('{"principal":"a"}'), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(sealer.open(changed.toString('base64url'))).toBeUndefined()
    }
  })

  it('do not open in another spelling', () => {
    const sealer = new Sealer([key], 'p')
    const token = sealer.seal('x')
    for (const other of [`${token}=`, `${token} `, `${token}\n`, token.slice(0, -1), '']) {
      expect(sealer.open(other)).toBeUndefined()
    }
  })

  it('do not open for another purpose, nor with another key', () => {
    const token = new Sealer([key], 'session id').seal('x')
    expect(new Sealer([key], 'cursor').open(token)).toBeUndefined()
    expect(new Sealer([randomBytes(32)], 'session id').open(token)).toBeUndefined()
  })

  it('open with any of the keys while the first seals, so that keys can rotate', () => {
    const older = randomBytes(32)
    const sealed = new Sealer([older], 'p').seal('x')
    const rotated = new Sealer([key, older], 'p')
    expect(rotated.open(sealed)).toBe('x')
    expect(new Sealer([key], 'p').open(rotated.seal('y'))).toBe('y')
  })

  it('never throw, whatever they are', () => {
    const sealer = new Sealer([key], 'p')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (text, bytes) => {
        expect(sealer.open(text)).toBeUndefined()
        expect(sealer.open(Buffer.from(bytes).toString('base64url'))).toBeUndefined()
      }),
    )
  })

  it('need keys of 32 bytes', () => {
    expect(() => new Sealer([randomBytes(16)], 'p')).toThrow(TypeError)
    expect(() => new Sealer([], 'p')).toThrow(TypeError)
  })
})
