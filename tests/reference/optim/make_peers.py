# SPDX-License-Identifier: Apache-2.0
# Writes peers.json: five steps of other programs' optimizers on the parameters and gradients of optim.json, in float64:
# solo-learn's LARS with its clipped rate, and timm's LAMB without its limit of the gradients' norm.
#   pip install torch==2.11.0 timm==1.0.20; pip download --no-deps solo-learn==1.0.2; unpack solo/utils/lars.py of it
#   python make_peers.py <path of lars.py>
import importlib.util
import json
import pathlib
import sys

import torch
from timm.optim.lamb import Lamb

from make_optim import RATES, SIZES, gradient, start

specification = importlib.util.spec_from_file_location("lars", sys.argv[1])
lars = importlib.util.module_from_spec(specification)
specification.loader.exec_module(lars)


def tensor(values, name):
    return torch.tensor(values, dtype=torch.float64).reshape(SIZES[name])


def case(optimizer_of, settings):
    parameters = {name: tensor(start(name), name).requires_grad_() for name in SIZES}
    optimizer = optimizer_of(parameters)
    steps = []
    for i, lr in enumerate(RATES):
        for name, parameter in parameters.items():
            parameter.grad = tensor(gradient(name, i), name)
        for group in getattr(optimizer, "optim", optimizer).param_groups:
            group["lr"] = lr
        optimizer.step()
        steps.append({"lr": lr, "gradients": {name: gradient(name, i) for name in SIZES},
                      "parameters": {name: parameter.detach().flatten().tolist() for name, parameter in parameters.items()}})
    return {"settings": settings, "sizes": SIZES, "start": {name: start(name) for name in SIZES}, "steps": steps}


def solo_learn_lars(parameters):
    # Without what it leaves out of the adaptation, it does not decay either.
    sgd = torch.optim.SGD(parameters.values(), lr=0.1, momentum=0.9, weight_decay=0.01)
    return lars.LARSWrapper(sgd, eta=0.1, clip=True, exclude_bias_n_norm=True)


def timm_lamb(parameters):
    groups = [{"params": [parameters["weight"]], "weight_decay": 0.1}, {"params": [parameters["bias"]], "weight_decay": 0.0}]
    return Lamb(groups, lr=0.1, betas=(0.9, 0.99), eps=1e-6, max_grad_norm=None)


json.dump({"LARS": case(solo_learn_lars, {"momentum": 0.9, "weight_decay": 0.01, "eta": 0.1, "clip": True}),
           "LAMB": case(timm_lamb, {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.1})},
          open(pathlib.Path(__file__).parent / "peers.json", "w"), separators=(",", ":"))
