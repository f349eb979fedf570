# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of C(vllm serve) by release. Written by tests/tools/vllm_options.py, not by hand.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# A row is a kind, in which of the RELEASES it holds (a digit for each), and names. In CHOICES a row is about one
# option: its name, and what it may be.
RELEASES = ("0.11.0", "0.13.0", "0.18.1", "0.23.0", "0.32.0")

PLAIN = """
any 00001 custom_histogram_buckets grpc_port max_lora_cls_labels max_num_active_seqs max_num_queued_reqs
  max_num_queued_tokens max_num_scheduled_tokens prefix_cache_retention_interval prefix_match_unit
config 00001 aux_output_config diffusion_config ec_manager_config engram_config fault_tolerance_config logging_config
  watermark_config
config 00011 ir_op_priority quantization_config reasoning_config
config 00111 kernel_config weight_transfer_config
config 01111 attention_config ec_transfer_config profiler_config
config 10000 override_pooler_config
config 11111 compilation_config default_mm_loras eplb_config kv_events_config kv_transfer_config mm_processor_kwargs
  pooler_config speculative_config structured_outputs_config
each 11111 middleware
flag 00001 cohere_is_reasoning_model dcp_q_replicate enable_batch_sharded_sampling enable_fault_tolerance enable_hc_sp
  enable_mamba_shared_prefix_checkpoint enable_moe_shared_loras enable_nccl_comm_suspend enable_per_request_metrics
  enable_scale_out enable_shm_tensor_arena enable_trace_replay jit_monitor_verbose
  long_prefill_token_threshold_adaptive mm_device_do_normalize return_sampling_mask sleep_mode_offload_cudagraph
  swa_bounded_replay trust_request_mm_kwargs use_replayssm
flag 00011 enable_cumem_allocator enable_flash_late_interaction enable_mamba_cache_stochastic_rounding
  enable_mixed_moe_lora_format numa_bind scheduler_reserve_full_isl use_fp64_gumbel
flag 00111 allow_deprecated_quantization enable_elastic_ep enable_ep_weight_filter enable_flashinfer_autotune
  enable_log_deltas enable_logging_iteration_details enable_mfu_metrics enable_offline_docs
  enable_return_routed_experts enable_tower_connector_lora fail_on_environ_validation language_model_only
  mm_encoder_only specialize_active_lora
flag 01111 cudagraph_metrics data_parallel_external_lb disable_nccl_for_dp_synchronization
  enable_layerwise_nvtx_tracing enable_mm_embeds kv_cache_metrics tokens_only
flag 10000 enable_lora_bias eplb_log_balancedness
flag 11000 disable_log_requests
flag 11100 disable_frontend_multiprocessing
flag 11110 calculate_kv_scales
flag 11111 allow_credentials async_scheduling data_parallel_hybrid_lb disable_cascade_attn disable_chunked_mm_input
  disable_custom_all_reduce disable_fastapi_docs disable_hybrid_kv_cache_manager disable_sliding_window
  disable_uvicorn_access_log enable_auto_tool_choice enable_chunked_prefill enable_dbo enable_eplb
  enable_expert_parallel enable_force_include_usage enable_log_outputs enable_log_requests enable_lora
  enable_prefix_caching enable_prompt_embeds enable_prompt_tokens_details enable_request_id_headers
  enable_server_load_tracking enable_sleep_mode enable_ssl_refresh enable_tokenizer_info_endpoint enforce_eager
  exclude_tools_when_tool_choice_none fully_sharded_loras interleave_mm_strings kv_sharing_fast_prefill
  log_error_stack ray_workers_use_nsight return_tokens_as_token_ids skip_mm_profiling skip_tokenizer_init
  trust_remote_code trust_request_chat_template use_tqdm_on_load
float 00001 device_memory_utilization mm_ipc_gpu_memory_gb watermark
float 00011 dp_supervisor_probe_interval_s dp_supervisor_probe_timeout_s mm_encoder_fp8_scale_save_margin
float 01111 kv_cache_metrics_sample kv_offloading_size
float 10000 rope_theta
float 11000 swap_space
float 11111 cpu_offload_gb gpu_memory_utilization mm_processor_cache_gb video_pruning_rate
int 00001 dp_sync_interval elastic_ep_max_dp_size prefill_schedule_interval replayssm_buffer_len
  sse_keep_alive_interval
int 00011 cpu_distributed_timeout_seconds data_parallel_supervisor_port dp_supervisor_probe_failure_threshold
  mamba_cache_philox_rounds renderer_num_workers safetensors_prefetch_num_threads spec_tokens
int 00111 block_size distributed_timeout_seconds offload_group_size offload_num_in_group offload_prefetch_step
  shutdown_timeout ubatch_size
int 01111 cp_kv_cache_interleave_size dcp_kv_cache_interleave_size mamba_block_size master_port
  max_cudagraph_capture_size nnodes node_rank prefill_context_parallel_size stream_interval
int 10000 eplb_step_interval eplb_window_size lora_extra_vocab_size max_lora_rank num_lookahead_slots
  num_redundant_experts
int 11110 max_long_partial_prefills max_num_partial_prefills
int 11111 api_server_count data_parallel_rank data_parallel_rpc_port data_parallel_size data_parallel_size_local
  data_parallel_start_rank dbo_decode_token_threshold dbo_prefill_token_threshold decode_context_parallel_size
  h11_max_header_count h11_max_incomplete_event_size long_prefill_token_threshold max_cpu_loras max_log_len
  max_logprobs max_loras max_num_seqs max_parallel_loading_workers mm_shm_cache_max_object_size_mb
  num_gpu_blocks_override pipeline_parallel_size port seed ssl_cert_reqs tensor_parallel_size
int+ 00011 numa_bind_nodes
int+ 01111 cudagraph_capture_sizes
int+ 10000 cuda_graph_sizes
json 00001 model_class_overrides
json 00111 default_chat_template_kwargs
json 10000 rope_scaling
json 11111 allowed_headers allowed_methods allowed_origins limit_mm_per_prompt media_io_kwargs
  override_generation_config
lora+ 11111 lora_modules
mixed 11111 additional_config hf_overrides model_loader_extra_config pt_load_map_location
name 00001 device_ids
on 00011 data_parallel_multi_port_external_lb grpc
on 01111 aggregate_engine_logging
on 10000 disable_mm_preprocessor_cache enable_multimodal_encoder_data_parallel
on 11111 disable_log_stats headless
size 00011 safetensors_prefetch_block_size
size 11000 max_model_len
size 11111 kv_cache_memory_bytes max_num_batched_tokens
size_auto 00111 max_model_len
text 00001 cohere_format
text 00011 fingerprint_value mamba_backend mm_encoder_fp8_scale_path mm_encoder_fp8_scale_save_path spec_model
text 00111 disable_access_log_for_endpoints ssl_ciphers
text 01111 attention_backend master_addr mm_encoder_attn_backend optimization_level reasoning_parser
  reasoning_parser_plugin tokenizer_mode
text 10000 guided_decoding_backend
text 11000 logits_processor_pattern
text 11110 override_attention_dtype safetensors_load_strategy
text 11111 allowed_local_media_path chat_template code_revision config config_format data_parallel_address
  data_parallel_backend distributed_executor_backend download_dir generation_config hf_config_path hf_token host
  io_processor_plugin load_format log_config_file model model_impl otlp_traces_endpoint quantization response_role
  revision root_path scheduler_cls show_hidden_metrics_for_version ssl_ca_certs ssl_certfile ssl_keyfile tokenizer
  tokenizer_revision tool_call_parser tool_parser_plugin tool_server uds worker_cls worker_extension_cls
text+ 00001 sleep_preserve_parameter_names
text+ 00011 kv_cache_dtype_skip_layers lora_target_modules numa_bind_cpus
text+ 00111 cpu_offload_params offload_params
text+ 11111 allowed_media_domains api_key ignore_patterns logits_processors served_model_name
word 10000 guided_decoding_disable_additional_properties guided_decoding_disable_any_whitespace
  guided_decoding_disable_fallback
"""

CHOICES = """
text 00001 all2all_backend allgather_reducescatter deepep_high_throughput deepep_low_latency deepep_v2
  flashinfer_all2allv flashinfer_nvlink_one_sided flashinfer_nvlink_two_sided moonep mori_high_throughput
  mori_low_latency naive nixl_ep pplx
text 00010 all2all_backend allgather_reducescatter deepep_high_throughput deepep_low_latency flashinfer_all2allv
  flashinfer_nvlink_one_sided flashinfer_nvlink_two_sided mori_high_throughput mori_low_latency naive nixl_ep pplx
text 00100 all2all_backend allgather_reducescatter deepep_high_throughput deepep_low_latency flashinfer_all2allv
  flashinfer_nvlink_one_sided flashinfer_nvlink_two_sided mori naive nixl_ep pplx
text 01000 all2all_backend None allgather_reducescatter deepep_high_throughput deepep_low_latency flashinfer_all2allv
  naive pplx
text 00001 anthropic_disabled_thinking_effort auto high low max medium none xhigh
int 01000 block_size 1 128 16 256 32 64 8
int 10000 block_size 1 128 16 32 64 8
text 11111 chat_template_content_format auto openai string
text+ 00001 collect_detailed_traces None all model worker
text+ 11110 collect_detailed_traces None all all,model all,worker model model,all model,worker worker worker,all
  worker,model
text 00111 convert auto classify embed none
text 11000 convert auto classify embed none reward
text 00001 dcp_comm_backend None a2a ag_rs
text 00110 dcp_comm_backend a2a ag_rs
text 11111 dtype auto bfloat16 float float16 float32 half
text 11111 expert_placement_strategy linear round_robin
text 00011 fingerprint_mode custom full hash none
text 00001 gdn_prefill_backend aiter_flydsl cutedsl flashinfer triton
text 00010 gdn_prefill_backend cutedsl flashinfer triton
text 00100 gdn_prefill_backend flashinfer triton
text 00001 jit_monitor_mode error warn
text 00001 kda_decode_backend auto flashinfer native triton
text 00001 kda_prefill_backend auto flashinfer flashkda fused triton
text 00001 kv_cache_dtype auto bfloat16 float16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc fp8_per_token_head
  int4_per_token_head int8_per_token_head nvfp4 nvfp4_4over6 nvfp4_ds_mla turboquant_3bit_nc turboquant_4bit_nc
  turboquant_k3v4_nc turboquant_k8v4 ultraquant_4bit
text 00010 kv_cache_dtype auto bfloat16 float16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc fp8_per_token_head
  int8_per_token_head nvfp4 turboquant_3bit_nc turboquant_4bit_nc turboquant_k3v4_nc turboquant_k8v4
text 00100 kv_cache_dtype auto bfloat16 float16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc
text 01000 kv_cache_dtype auto bfloat16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc
text 10000 kv_cache_dtype auto bfloat16 fp8 fp8_e4m3 fp8_e5m2 fp8_inc
text 00111 kv_offloading_backend lmcache native
text 01000 kv_offloading_backend None lmcache native
name 00001 linear_backend aiter auto b12x conch cutlass deep_gemm emulation exllama fbgemm flashinfer_b12x
  flashinfer_cudnn flashinfer_cutedsl flashinfer_cutlass flashinfer_trtllm humming machete marlin torch triton xpu
  xpu_woq
name 00010 linear_backend aiter auto conch cutlass deep_gemm emulation exllama fbgemm flashinfer_cudnn
  flashinfer_cutlass flashinfer_trtllm machete marlin torch triton
text 00001 log_level CRITICAL DEBUG ERROR INFO NOTSET WARNING
text 11111 logprobs_mode processed_logits processed_logprobs raw_logits raw_logprobs
text 11111 lora_dtype auto bfloat16 float16
text 00011 mamba_cache_dtype auto bfloat16 float16 float32
text 01100 mamba_cache_dtype auto float16 float32
text 10000 mamba_cache_dtype auto float32
text 00001 mamba_cache_mode align none
text 00110 mamba_cache_mode align all none
text 00011 mamba_ssm_cache_dtype auto bfloat16 float16 float32
text 01100 mamba_ssm_cache_dtype auto float16 float32
text 10000 mamba_ssm_cache_dtype auto float32
text 00001 mamba_ssu_algorithm None auto horizontal simple vertical
int 01111 max_lora_rank 1 128 16 256 32 320 512 64 8
text 00011 mm_encoder_attn_dtype None fp8
text 11111 mm_encoder_tp_mode data weights
text 00001 mm_hasher_algorithm blake3 sha256 sha512
text 11111 mm_processor_cache_type lru shm
text 00001 mm_processor_device auto cpu
text 00011 mm_tensor_ipc direct_rpc torch_shm
name 00001 moe_backend aiter aiter_mega_moe aiter_triton_mxfp4_bf16 auto b12x batched_triton cutlass deep_gemm
  deep_gemm_mega_moe emulation flashinfer_b12x flashinfer_cutedsl flashinfer_cutlass flashinfer_moe_ep_cutedsl
  flashinfer_moe_ep_mega_deep_gemm flashinfer_trtllm flydsl hpc humming marlin rdna3 triton triton_unfused
name 00010 moe_backend aiter auto cutlass deep_gemm deep_gemm_mega_moe emulation flashinfer_b12x flashinfer_cutedsl
  flashinfer_cutlass flashinfer_trtllm humming marlin triton triton_unfused
name 00100 moe_backend aiter auto cutlass deep_gemm flashinfer_cutedsl flashinfer_cutlass flashinfer_trtllm marlin
  triton
text 00111 offload_backend auto prefetch uva
text 00001 per_request_spec_decode_metrics detailed none summary
text 00111 performance_mode balanced interactivity throughput
text 01111 prefix_caching_hash_algo sha256 sha256_cbor xxhash xxhash_cbor
text 10000 prefix_caching_hash_algo sha256 sha256_cbor
text 10000 reasoning_parser deepseek_r1 glm45 granite hunyuan_a13b mistral openai_gptoss qwen3 seed_oss step3
text 11111 runner auto draft generate pooling
text 00001 safetensors_load_strategy None eager lazy prefetch torchao
text 11111 scheduling_policy fcfs priority
name 00001 sparse_indexer_topk_backend aiter auto cooperative deep_select flashinfer per_row persistent torch
text 00001 spec_method None bailing_hybrid_mtp bailing_hybrid_v3_mtp custom_class deepseek_mtp dflash dots3_note_mtp
  draft_model dspark eagle eagle3 ernie_mtp exaone4_5_mtp exaone_moe_mtp extract_hidden_states gemma4_mtp
  glm4_moe_lite_mtp glm4_moe_mtp glm5_next_mtp glm_ocr_mtp hy_v3_mtp hy_v4_mtp inkling_mtp kimi_k3_mtp
  longcat_flash_mtp medusa mimo_mtp mimo_v2_mtp minimax_m3_mtp mlp_speculator mtp nemotron_h_mtp ngram ngram_gpu
  pangu_ultra_moe_mtp qwen3_5_mtp qwen3_next_mtp qwen4_exp_mtp step3p5_mtp suffix
text 00010 spec_method None custom_class deepseek_mtp dflash draft_model eagle eagle3 ernie_mtp exaone4_5_mtp
  exaone_moe_mtp extract_hidden_states gemma4_mtp glm4_moe_lite_mtp glm4_moe_mtp glm_ocr_mtp hy_v3_mtp
  longcat_flash_mtp medusa mimo_mtp mimo_v2_mtp mlp_speculator mtp nemotron_h_mtp ngram ngram_gpu pangu_ultra_moe_mtp
  qwen3_5_mtp qwen3_next_mtp step3p5_mtp suffix
text 10000 task None auto classify draft embed embedding generate reward score transcription
text 10000 tokenizer_mode auto custom mistral slow
text 00001 tool_strict_level auto function parameter
text 11111 uvicorn_log_level critical debug error info trace warning
text 00001 video_pruning_method evs vidcom2
"""
