# SPDX-License-Identifier: Apache-2.0
# Writes vit_keys.txt and vit_forward.json: what timm's vision transformers are made of, and what they compute with weights and
# images by closed formulas (record.py). Needs torch 2.11 and timm 1.0: python make_vit.py
import timm

import record

record.write_keys("vit_keys.txt", {
    "vit_tiny 16 224": timm.create_model("vit_tiny_patch16_224"),
    "vit_small 16 224": timm.create_model("vit_small_patch16_224"),
    "vit_base 16 224": timm.create_model("vit_base_patch16_224"),
    "vit_tiny 8 224": timm.create_model("vit_tiny_patch16_224", patch_size=8),
    "vit_small 14 518 layer_scale": timm.create_model("vit_small_patch14_dinov2"),
}, "head.")

tiny = dict(img_size=64, patch_size=16, embed_dim=192, depth=4, num_heads=3, num_classes=0, dynamic_img_size=True)
small = dict(img_size=28, patch_size=14, embed_dim=384, depth=2, num_heads=6, num_classes=0, in_chans=1, init_values=1e-5,
             dynamic_img_size=True)
ViT = timm.models.vision_transformer.VisionTransformer
record.write("vit_forward.json", {
    "class_token": record.measure(ViT(**tiny), (4, 3, 64, 64), 8),
    "mean": record.measure(ViT(**tiny, global_pool="avg", fc_norm=False), (4, 3, 64, 64), 8),
    "interpolated": record.measure(ViT(**tiny), (4, 3, 96, 48), 8),
    "layer_scale": record.measure(ViT(**small), (4, 1, 28, 28), 8),
})
