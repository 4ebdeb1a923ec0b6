/** Clients that are known by the certificate of their connection, which the listener has verified. */
import type { IncomingMessage } from 'node:http'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import type { Principal } from './principal.js'
import { principalOf } from './principal.js'

/** `undefined` without a certificate, or with one that nobody vouches for. */
export function certificatePrincipal({ socket }: IncomingMessage): Principal | undefined {
  const tls = socket as Partial<TLSSocket>
  if (tls.authorized !== true || tls.getPeerCertificate === undefined) return undefined
  // Without a certificate there is an empty object.
  const certificate: Partial<PeerCertificate> = tls.getPeerCertificate()
  const { subject, issuer, subjectaltname = '', fingerprint256 = '' } = certificate
  if (subject === undefined) return undefined
  const { CN: commonName } = subject
  // A workload's identity (SPIFFE) is a URI among its names.
  const uri = /URI:([^,\s]+)/.exec(subjectaltname)?.[1]
  const name = uri ?? String(commonName ?? subjectaltname)
  const parts = [JSON.stringify(issuer), JSON.stringify(subject), subjectaltname]
  const claims = { names: subjectaltname, fingerprint: fingerprint256, subject: { ...subject } }
  return principalOf('certificate', parts, name.slice(0, 256), JSON.parse(JSON.stringify(claims)))
}
