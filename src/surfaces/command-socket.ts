/** The socket in the data directory by which commands reach the running server. Whoever may open it may administrate. */
export const COMMAND_SOCKET = "parallama.sock";

/** Whether a server listens there. The file outlives a server that was killed, so only a connection tells. */
export async function acceptsConnections(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
