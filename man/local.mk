# SPDX-License-Identifier: GPL-3.0-or-later
# man/: a page per installed binary and for the config file.
dist_man_MANS += \
	%reldir%/stockade.7 \
	%reldir%/stockade.8 \
	%reldir%/stockade.yaml.5 \
	%reldir%/stockade-dlmd.8 \
	%reldir%/stockade-fence-doctor.8 \
	%reldir%/stockade-fence_ipmilan.8 \
	%reldir%/stockade-fence_scsi.8 \
	%reldir%/stockade-fence_xvm.8 \
	%reldir%/stockade-fenced.8 \
	%reldir%/stockade-key.8 \
	%reldir%/stockade-lvm.8 \
	%reldir%/stockade-storaged.8 \
	%reldir%/stockade-virtd.8 \
	%reldir%/stockade-virtd.conf.5
