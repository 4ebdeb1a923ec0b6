/** Whether nobody takes connections at a port of this machine. */
import { once } from 'node:events'
import { connect } from 'node:net'

export async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  // `once` rejects where the socket fails instead.
  const refused = await once(socket, 'connect').then(
    () => false,
    () => true,
  )
  socket.destroy()
  return refused
}
