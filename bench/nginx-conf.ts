// The baseline's configuration: a proxy that does nothing but relay, with what is needed for it to do so well.

export type NginxPorts = { plain: number; streams: number; upstream: number };

/** One worker, as the others have one event loop; bodies stay in memory, as the others keep them there. */
export function nginxConf(folder: string, ports: NginxPorts, openFiles: number): string {
  const location = `
      proxy_pass http://upstream;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      client_max_body_size 16m;
      client_body_buffer_size 1m;`;
  // Started by root, nginx would give its worker another user, who may not write to the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `
daemon off;
${user}
worker_processes 1;
worker_rlimit_nofile ${openFiles};
pid ${folder}/nginx.pid;
error_log ${folder}/nginx-error.log;
events { worker_connections ${Math.min(openFiles, 16_000)}; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  proxy_read_timeout 600s;
  upstream upstream {
    server 127.0.0.1:${ports.upstream};
    keepalive 1024;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${ports.plain} backlog=4096;
    location / {${location}
    }
  }
  server {
    listen 127.0.0.1:${ports.streams} backlog=4096;
    location / {${location}
      proxy_buffering off;
    }
  }
}
`;
}
