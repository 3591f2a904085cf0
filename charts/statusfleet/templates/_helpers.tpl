{{- define "statusfleet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Fleets' network policies know the operator's pods by name and component: neither can be changed. */}}
{{- define "statusfleet.selector" -}}
app.kubernetes.io/component: operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/name: statusfleet
{{- end }}

{{- define "statusfleet.labels" -}}
{{ merge (include "statusfleet.selector" . | fromYaml) (include "statusfleet.helperLabels" . | fromYaml) | toYaml }}
{{- end }}

{{/* Labels of what helps only, such as hooks: the operator's selectors do not find it. */}}
{{- define "statusfleet.helperLabels" -}}
{{- $own := dict
    "app.kubernetes.io/instance" .Release.Name
    "app.kubernetes.io/managed-by" .Release.Service
    "app.kubernetes.io/name" "statusfleet"
    "app.kubernetes.io/version" .Chart.AppVersion
    "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)
}}
{{- merge $own (omit (.Values.commonLabels | default dict) "app.kubernetes.io/component") | toYaml }}
{{- end }}

{{- define "statusfleet.image" -}}
{{- if .Values.image.digest -}}
{{- .Values.image.repository -}}{{- with .Values.image.tag }}:{{ . }}{{ end -}}@{{ .Values.image.digest }}
{{- else -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "statusfleet.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "statusfleet.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{/* Fleets cannot be without their definition, so they go first where it goes. */}}
{{- define "statusfleet.deletesFleets" -}}
{{- if or (eq .Values.uninstall.fleets "Delete") (and .Values.crds.enabled (not .Values.crds.keep)) -}}true{{- end -}}
{{- end }}

{{/* What the operator does to the objects of fleets. Least: each verb is used. */}}
{{- define "statusfleet.rules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, delete, get, list, patch, update, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
- apiGroups: [""]
  resources: [persistentvolumeclaims, serviceaccounts, services]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [""]
  resources: [pods]
  {{- if eq "true" (include "statusfleet.dialsFromNodes" .) }}
  verbs: [create, delete, list, patch, watch]
  {{- else }}
  verbs: [delete, list, patch, watch]
  {{- end }}
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [externaldns.k8s.io]
  resources: [dnsendpoints]
  verbs: [create, delete, get, list, update, watch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, roles]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [statusfleet.io]
  resources: [statusfleets]
  verbs: [list, patch, watch]
- apiGroups: [statusfleet.io]
  resources: [statusfleets/finalizers]
  verbs: [update]
- apiGroups: [statusfleet.io]
  resources: [statusfleets/status]
  verbs: [patch]
{{- end }}

{{/* Whether pods dial members behind load balancers; no value is there with --reuse-values. */}}
{{- define "statusfleet.dialsFromNodes" -}}
{{- eq "MemberNode" (.Values.operator.dialLoadBalancersFrom | default "Operator") }}
{{- end }}

{{- define "statusfleet.nodeRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}

{{- define "statusfleet.testHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-weight: {{ . | quote }}
{{- end }}

{{/* What the pods of hooks have in common. */}}
{{- define "statusfleet.helperPod" -}}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
restartPolicy: Never
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "statusfleet.uninstallHook" -}}
helm.sh/hook: {{ ternary "pre-delete" "post-delete" (eq "true" (include "statusfleet.deletesFleets" .root)) }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-weight: {{ .weight | quote }}
{{- end }}
