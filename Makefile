# Every target works as the first command ever run here; each is one line of encoder_course/bootstrap.py.
PYTHON ?= python3
RUN = @$(PYTHON) encoder_course/bootstrap.py
OPTIONS = $(if $(TORCH),--torch $(TORCH)) $(if $(LATEST),--latest)

.PHONY: help course test setup lint unit notebooks doctor format labs bench clean

help:      ; $(RUN) --help
course:    ; $(RUN) course $(OPTIONS)
test:      ; $(RUN) test $(OPTIONS)
setup:     ; $(RUN) setup $(OPTIONS)
lint:      ; $(RUN) lint $(OPTIONS)
unit:      ; $(RUN) unit $(OPTIONS)
notebooks: ; $(RUN) notebooks $(OPTIONS)
doctor:    ; $(RUN) doctor $(OPTIONS)
format:    ; $(RUN) format $(OPTIONS)
labs:      ; $(RUN) labs $(OPTIONS)
bench:     ; $(RUN) bench $(OPTIONS)
clean:     ; $(RUN) clean
