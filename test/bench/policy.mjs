// A client with a token, and fifty rules as a company may have them: the last is the one that lets the client in.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

const ISSUER = 'https://login.bench.example'
const AUDIENCE = 'https://mcp.bench.example/mcp'
const ALGORITHM = 'ES256'

const each = (count, rule) => Array.from({ length: count }, (_, index) => rule(index))

export const rules = [
  { require: 'principal.kind == "jwt"' },
  ...each(9, (it) => ({
    deny: `mcp.tool.target == "team-${it}" && !("team-${it}" in jwt.groups)`,
  })),
  ...each(5, (it) => ({
    deny: `mcp.tool.name.startsWith("write_${it}") && jwt.role != "admin"`,
  })),
  ...each(34, (it) => ({
    allow: `mcp.tool.target == "project-${it}" && jwt.sub == "person-${it}"`,
  })),
  { allow: 'jwt.role == "bench"' },
]

/** What a gateway has to believe, and what a client shows. */
export async function identity() {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM)
  const key = { ...(await exportJWK(publicKey)), kid: 'bench', alg: ALGORITHM }
  const token = await new SignJWT({ role: 'bench', groups: ['engineering', 'team-3'] })
    .setProtectedHeader({ alg: ALGORITHM, kid: 'bench' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject('bench')
    .setIssuedAt()
    .setExpirationTime('6h')
    .sign(privateKey)
  const issuer = { issuer: ISSUER, audiences: [AUDIENCE], jwks: { inline: { keys: [key] } } }
  return {
    authentication: { mode: 'strict', jwt: [issuer] },
    headers: { Authorization: `Bearer ${token}` },
  }
}
