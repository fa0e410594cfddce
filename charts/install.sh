#!/usr/bin/env bash
# Installs the chart with Helm where kubectl points at: install.sh NAMESPACE HELM-OPTIONS…
# Helm waits minutes for an image that nobody has. Here it is ended once new pods have not got theirs for ten seconds.
set -uo pipefail
namespace=$1
shift

pods() {
  kubectl get pods --namespace "$namespace" --selector 'app.kubernetes.io/name in (weather-operator, weather-operator-crds)' \
    --output "jsonpath=$1" 2>/dev/null
}

before=$(pods '{.items[*].metadata.name}')

without_image() {
  pods '{range .items[*]}{.metadata.name}{" "}{.spec.containers[0].image}{" "}{.status.containerStatuses[0].state.waiting.reason}{"\n"}{end}' |
    while read -r pod image reason; do
      case " $before " in *" $pod "*) continue ;; esac
      case $reason in ErrImagePull | ImagePullBackOff | InvalidImageName) echo "$image" ;; esac
    done | sort -u
}

helm upgrade --install weather-operator charts/weather-operator \
  --namespace "$namespace" --create-namespace --wait --timeout 3m "$@" \
  2> >(grep --line-buffered -v 'msg="found symbolic link in path' >&2) &
helm=$!
trap 'kill $helm' INT TERM

missing='' seconds=0
while kill -0 $helm 2>/dev/null && [ $seconds -lt 10 ]; do
  sleep 1
  missing=$(without_image)
  seconds=$([ -n "$missing" ] && echo $((seconds + 1)) || echo 0)
done
[ -z "$missing" ] || kill $helm 2>/dev/null
wait $helm && exit 0

{
  [ -z "$missing" ] || echo "The cluster cannot pull $missing: push it there (make push), or give the registry that has it."
  echo "What the cluster says about it:"
  kubectl get events --namespace "$namespace" --field-selector type=Warning \
    --output=custom-columns=OBJECT:.involvedObject.name,MESSAGE:.message
} >&2
exit 1
