/** A real nginx as a balancer: no buffering, and nothing sent twice. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.js'
import { isRefused } from './is-refused.js'
import { waitUntil } from './wait-until.js'

export const hasNginx = spawnSync('nginx', ['-v']).status === 0

export interface Nginx extends AsyncDisposable {
  readonly url: string
  /** No more requests for one of the servers, as of those that a balancer finds not ready, until it is put back; it takes turns. */
  takeOut(server: number): Promise<void>
  putBack(server: number): Promise<void>
}

/**
 * `keepAlive` is how many idle connections to the servers it keeps; 0 for a new one with each request. Servers take turns, or
 * stay with the sessions that they got (as docs/reliability.md writes it).
 */
export async function startNginx(
  ports: readonly number[],
  keepAlive: number,
  balance: 'turns' | 'sessions' = 'turns',
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (it) => `${it}_temp_path ${folder}/${it};`,
  )
  const upstream = (name: string, those: readonly number[]): string => `
  upstream ${name} {
    ${balance === 'sessions' ? 'hash $affinity consistent;' : ''}
    ${those.map((it) => `server 127.0.0.1:${it} max_fails=0;`).join('\n    ')}
    ${keepAlive === 0 ? '' : `keepalive ${keepAlive}; keepalive_timeout 1s;`}
  }`
  // Its free edition looks at no server's health, but at each request for a file that says it; reading its settings again
  // would end connections of clients.
  const flag = (server: number): string => join(folder, `out-${server}`)
  const without = ports.map((own) => ports.filter((it) => it !== own))
  await writeFile(
    join(folder, 'nginx.conf'),
    `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  map $http_mcp_session_id $affinity { default $http_mcp_session_id; "" $request_id; }
  # With max_fails it takes them all for dead where they die in turn faster than it forgives, and answers 502 itself.
  ${upstream('junctions', ports)}
  ${without.map((others, index) => (others.length > 0 ? upstream(`without_${index}`, others) : '')).join('')}
  server {
    listen 127.0.0.1:${port};
    location / {
      set $upstream junctions;
      ${without.map((_, index) => `if (-f ${flag(index)}) { set $upstream without_${index}; }`).join('\n      ')}
      proxy_pass http://$upstream;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "${keepAlive === 0 ? 'close' : ''}";
      proxy_buffering off;
      proxy_read_timeout 1h;
      # Of POSTs, what has been sent is not sent again.
      proxy_next_upstream error timeout;
    }
  }
}
`,
  )
  const child = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await waitUntil(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${log}`)
    return !(await isRefused(port))
  }, 'nginx to listen')
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    takeOut: (server) => writeFile(flag(server), ''),
    putBack: (server) => rm(flag(server), { force: true }),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}
