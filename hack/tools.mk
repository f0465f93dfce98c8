# The tools of this project, pinned and installed into bin/. The file of a tool carries its version, so that a new pin installs
# it again.
GOLANGCI_LINT_VERSION := v2.15.0
OAPI_CODEGEN_VERSION := v2.8.2

GOLANGCI_LINT := bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
OAPI_CODEGEN := bin/oapi-codegen-$(OAPI_CODEGEN_VERSION)

$(GOLANGCI_LINT):
	$(call go-install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

$(OAPI_CODEGEN):
	$(call go-install,github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@$(OAPI_CODEGEN_VERSION))

# go-install puts package@version into bin/ as NAME-VERSION, with NAME as a link to it.
define go-install
	GOBIN="$(CURDIR)/bin" go install $(1)
	mv bin/$(firstword $(subst @, ,$(notdir $(1)))) $@
	ln -sf $(notdir $@) bin/$(firstword $(subst @, ,$(notdir $(1))))
endef
