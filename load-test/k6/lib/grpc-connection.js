// @ts-check
// A virtual user's connection to a gRPC target: made once, kept, and made anew when the transport fails.
import { sleep } from 'k6';
import grpc from 'k6/net/grpc';

export class GrpcConnection {
  /**
   * Only in the init context.
   * @param {{ protoDir: string, protoFile: string, address: string, params: import('k6/net/grpc').ConnectParams, retrySeconds: number }} options
   *   params: of connecting; retrySeconds: the pause after an attempt that found no connection
   */
  constructor({ protoDir, protoFile, address, params, retrySeconds }) {
    this.client = new grpc.Client();
    this.client.load([protoDir], protoFile);
    this.address = address;
    this.params = params;
    this.retrySeconds = retrySeconds;
    /** `connect` dials anew at every call and leaks the connection before, hence the flag. */
    this.connected = false;
  }

  /** Connects where there is no connection. @returns {boolean} whether there is one now */
  open() {
    if (this.connected) {
      return true;
    }
    try {
      this.client.connect(this.address, this.params);
      this.connected = true;
    } catch (error) {
      console.error(`cannot connect to ${this.address}: ${error}`);
      sleep(this.retrySeconds);
    }
    return this.connected;
  }

  close() {
    this.client.close();
    this.connected = false;
  }

  /**
   * A unary call; `open` must have been true. Closes the connection where the transport failed.
   * @param {string} method  full name, `package.Service/Method`
   * @param {object} request
   * @param {import('k6/net/grpc').Params} params
   */
  invoke(method, request, params) {
    const response = this.client.invoke(method, request, params);
    if (isTransportError(response)) {
      this.close();
    }
    return response;
  }
}

/**
 * UNAVAILABLE with neither headers nor trailers comes from the client's own transport: the connection is gone.
 * A service that answers UNAVAILABLE (its database is away) sends at least trailers, and keeps its connection.
 * Without a new connection the client would wait between its own attempts for up to two minutes.
 * @param {import('k6/net/grpc').Response} response
 */
function isTransportError({ status, headers, trailers }) {
  return status === grpc.StatusUnavailable && isEmpty(headers) && isEmpty(trailers);
}

/** @param {object} entries */
function isEmpty(entries) {
  return Object.keys(entries).length === 0;
}
