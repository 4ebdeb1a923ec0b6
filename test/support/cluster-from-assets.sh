#!/usr/bin/env bash
# A real API server from the binaries of KUBEBUILDER_ASSETS (kube-apiserver, etcd), as setup-envtest downloads them.
#   cluster-from-assets.sh up|down DIR      with KUBE_PORT and ETCD_PORT
set -euo pipefail
action=$1 dir=$2
stop() {
  for name in apiserver etcd; do
    if [ -f "$dir/$name.pid" ]; then kill "$(cat "$dir/$name.pid")" 2>/dev/null || true; fi
  done
}
if [ "$action" = down ]; then stop; exit 0; fi
openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
printf 'admin-token,admin,admin,"system:masters"\ngateway-token,gateway,gateway\n' > "$dir/tokens.csv"
client=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$((ETCD_PORT + 1))
setsid "$KUBEBUILDER_ASSETS/etcd" --data-dir "$dir/etcd" --listen-client-urls "$client" \
  --advertise-client-urls "$client" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
  --initial-cluster "default=$peer" --unsafe-no-fsync > "$dir/etcd.log" 2>&1 < /dev/null &
echo $! > "$dir/etcd.pid"
setsid "$KUBEBUILDER_ASSETS/kube-apiserver" --etcd-servers="$client" --cert-dir="$dir/certs" \
  --bind-address=127.0.0.1 --secure-port="$KUBE_PORT" --service-cluster-ip-range=10.96.0.0/16 \
  --service-account-key-file="$dir/sa.key" --service-account-signing-key-file="$dir/sa.key" \
  --service-account-issuer=https://kubernetes.default.svc --token-auth-file="$dir/tokens.csv" \
  --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount > "$dir/apiserver.log" 2>&1 < /dev/null &
echo $! > "$dir/apiserver.pid"
cat > "$dir/kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$KUBE_PORT", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: admin-token}}, {name: gateway, user: {token: gateway-token}}]
contexts: [{name: admin, context: {cluster: local, user: admin}}, {name: gateway, context: {cluster: local, user: gateway}}]
current-context: admin
K
for _ in $(seq 240); do
  if curl -sk -m 2 -H 'Authorization: Bearer admin-token' "https://127.0.0.1:$KUBE_PORT/readyz" | grep -q '^ok'; then exit 0; fi
  sleep 0.25
done
echo "the API server did not become ready; see $dir/apiserver.log" >&2
stop
exit 1
