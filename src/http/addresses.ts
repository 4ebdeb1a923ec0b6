/**
 * From where a request comes. Behind proxies that are trusted it is what they say; of what others say nothing is
 * believed.
 */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4 } from 'node:net'
import { z } from 'zod'
import { remoteAddressOf } from './origin.js'
import { RefusedError } from './refusal.js'

const networkSchema = z
  .string()
  .refine(isNetwork, 'expected an address or a network such as 10.0.0.0/8 or fd00::/8')

/** The keys of `listen` about addresses. */
export const addressFields = {
  ipFilter: z
    .strictObject({
      allow: z
        .array(networkSchema)
        .prefault([])
        .describe('Networks that may connect; none: all that are not denied.'),
      deny: z.array(networkSchema).prefault([]).describe('Networks that may not.'),
    })
    .prefault({})
    .describe('Who may connect, by address.'),
  trustedProxies: z
    .array(networkSchema)
    .prefault([])
    .describe('Proxies whose `X-Forwarded-For` is believed.'),
}

export type AddressSettings = z.output<z.ZodObject<typeof addressFields>>

/** Entries of a header that are looked at; nobody has more proxies. */
const MAX_HOPS = 20

export class Addresses {
  readonly #allowed: BlockList | undefined
  readonly #denied: BlockList | undefined
  readonly #trusted: BlockList

  constructor({ ipFilter, trustedProxies }: AddressSettings) {
    this.#allowed = ipFilter.allow.length === 0 ? undefined : listOf(ipFilter.allow)
    this.#denied = ipFilter.deny.length === 0 ? undefined : listOf(ipFilter.deny)
    this.#trusted = listOf(trustedProxies)
  }

  /** The client's own address, as far as it can be known; plain IPv4 for IPv4. */
  of(request: IncomingMessage): string {
    let address = plain(remoteAddressOf(request))
    const forwarded = request.headers['x-forwarded-for']
    if (forwarded === undefined) return address
    // The last entry is by the proxy nearest to us; each is believed as long as its author is.
    const hops = String(forwarded).split(',').slice(-MAX_HOPS).toReversed()
    for (const hop of hops) {
      if (!has(this.#trusted, address)) break
      const next = plain(hop.trim())
      if (isIP(next) === 0) break
      address = next
    }
    return address
  }

  /** @throws RefusedError 403 */
  check(request: IncomingMessage): void {
    // A look into a list takes longer than all else that is checked here.
    if (this.#allowed === undefined && this.#denied === undefined) return
    const address = this.of(request)
    const isAllowed = this.#allowed === undefined || has(this.#allowed, address)
    if (isAllowed && (this.#denied === undefined || !has(this.#denied, address))) return
    throw new RefusedError(403, 'this address may not connect (listen.ipFilter)')
  }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

function has(list: BlockList, address: string): boolean {
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

/** IPv4 as it is, also where a socket for both shows it as IPv6. */
function plain(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return mapped ?? address.replace(/^\[(.*)\]$/, '$1')
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  )
}
