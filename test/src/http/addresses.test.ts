/** From where a request comes, and whether that may connect. */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { addressFields, Addresses } from '../../../src/http/addresses.js'

const settings = z.strictObject(addressFields)

function from(address: string, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: address })
  const request = new IncomingMessage(socket)
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded
  return request
}

describe('the address of a client', () => {
  const addresses = new Addresses(settings.parse({ trustedProxies: ['10.0.0.0/8', 'fd00::/8'] }))

  it.each([
    ['203.0.113.9', undefined, '203.0.113.9'],
    ['::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['2001:db8::1', undefined, '2001:db8::1'],
    // Anybody can send the header; only those who are trusted are believed.
    ['203.0.113.9', '198.51.100.7', '203.0.113.9'],
    ['10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['::ffff:10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['10.0.0.1', '127.0.0.1, 198.51.100.7', '198.51.100.7'],
    ['10.0.0.1', '198.51.100.7, 10.0.0.2', '198.51.100.7'],
    ['fd00::1', '[2001:db8::7], fd00::2', '2001:db8::7'],
    ['10.0.0.1', 'nonsense, 10.0.0.3', '10.0.0.3'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', `1.2.3.4${',10.0.0.9'.repeat(1_000)}`, '10.0.0.9'],
  ])('of a connection from %s that says %s is %s', (address, forwarded, client) => {
    expect(addresses.of(from(address, forwarded))).toBe(client)
  })
})

describe('a filter', () => {
  const isAllowed = (filter: object, address: string): boolean => {
    try {
      new Addresses(settings.parse({ ipFilter: filter })).check(from(address))
      return true
    } catch {
      return false
    }
  }

  it.each([
    [{}, '203.0.113.9', true],
    [{ allow: ['203.0.113.0/24'] }, '203.0.113.9', true],
    [{ allow: ['203.0.113.0/24'] }, '::ffff:203.0.113.9', true],
    [{ allow: ['203.0.113.0/24'] }, '203.0.114.9', false],
    [{ allow: ['203.0.113.0/24'] }, '2001:db8::1', false],
    [{ allow: ['2001:db8::/32'] }, '2001:db8::1', true],
    [{ deny: ['203.0.113.9'] }, '203.0.113.9', false],
    [{ deny: ['203.0.113.9'] }, '203.0.113.8', true],
    [{ allow: ['203.0.113.0/24'], deny: ['203.0.113.9'] }, '203.0.113.9', false],
    [{ allow: ['0.0.0.0/0'] }, '', false],
  ])('%j for %s: %s', (filter, address, expected) => {
    expect(isAllowed(filter, address)).toBe(expected)
  })

  it.each(['10.0.0.0/33', '10.0.0', 'fd00::/129', 'example.com', '10.0.0.0/8/8', ''])(
    'of %j is refused',
    (network) => {
      const { error } = settings.safeParse({ ipFilter: { allow: [network] } })
      expect(error?.issues[0]?.message).toMatch(/expected an address or a network/)
    },
  )
})
